import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const fileOf = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));
// Beside this package in the repository: it is run, not imported.
const tq = fileOf("../../../apps/cli/bin/tq.js");
const hostMain = fileOf("../dist/main.js");

/** A server and hosts, each a process of its own, in a folder of their own. */
export class Processes {
  readonly folder = mkdtempSync(join(tmpdir(), "tq-files-"));
  readonly #children = new Map<string, ChildProcess>();
  #address = "";

  get address(): string {
    return this.#address;
  }

  /** Starts a server on a port that is free; resolves when it says where it listens. */
  async startServer(): Promise<void> {
    const args = [tq, "server", "start", "--listen", "127.0.0.1:0", "--data", join(this.folder, "data")];
    const server = this.#start("server", args);
    let seen = "";
    const listens = Promise.withResolvers<string>();
    for (const stream of [server.stdout, server.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        seen += text;
        const address = /^tq listens on (\S+)\n/m.exec(seen)?.[1];
        if (address !== undefined) listens.resolve(address);
      });
    }
    server.once("exit", (code, signal) => listens.reject(new Error(`the server ended (${code ?? signal}):\n${seen}`)));
    this.#address = await listens.promise;
  }

  /** Starts a host. What is added for it waits until it is there. */
  startHost(name: string): void {
    this.#start(name, [hostMain, this.#address, this.folderOf(name), name]);
  }

  /** Where a host keeps its files. */
  folderOf(name: string): string {
    return join(this.folder, name);
  }

  /** Kills a process with SIGKILL, and waits until it is gone. */
  async kill(name: string): Promise<void> {
    const child = this.#children.get(name);
    this.#children.delete(name);
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, "exit");
    child.kill("SIGKILL");
    await gone;
  }

  /** Kills all of them, and removes what they have left. */
  async remove(): Promise<void> {
    for (const name of this.#children.keys()) await this.kill(name);
    rmSync(this.folder, { recursive: true, force: true });
  }

  #start(name: string, args: readonly string[]): ChildProcess {
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
    // Unread, a full pipe would hold it up.
    child.stdout.resume();
    child.stderr.resume();
    this.#children.set(name, child);
    return child;
  }
}
