import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Code, type ConnectError } from "@connectrpc/connect";

const cli = fileURLToPath(new URL("../../../apps/cli/bin/tq.js", import.meta.url));

/** A server in a process of its own, which a test may kill and start again on the same port and the same data. */
export class ServerProcess {
  readonly port: number;
  readonly dataDir: string;
  /** What runs the program, such as ["strace", …]; empty runs it as it is. */
  readonly #wrapper: readonly string[];
  #child: ChildProcess | undefined;
  #output = "";

  constructor(port: number, wrapper: readonly string[] = [], dataDir = mkdtempSync(join(tmpdir(), "tq-test-"))) {
    this.port = port;
    this.#wrapper = wrapper;
    this.dataDir = dataDir;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** What it has printed, over all its runs. */
  get output(): string {
    return this.#output;
  }

  /** Starts it, and waits until it says that it listens. */
  async start(): Promise<void> {
    const listen = `127.0.0.1:${this.port}`;
    const server = [process.execPath, cli, "server", "start", "--listen", listen, "--data", this.dataDir];
    const [command, ...args] = [...this.#wrapper, ...server];
    const child = spawn(command ?? process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
    this.#child = child;
    await new Promise<void>((resolve, reject) => {
      let seen = "";
      const read = (chunk: Buffer): void => {
        this.#output += chunk.toString();
        seen += chunk.toString();
        if (seen.includes(listen)) resolve();
      };
      child.stdout.on("data", read);
      child.stderr.on("data", read);
      child.once("exit", (code, signal) => reject(new Error(`the server ended (${code ?? signal}):\n${seen}`)));
      child.once("error", reject);
    });
  }

  /** Kills it at once. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /** Asks it to stop, and answers its exit status. */
  async stop(): Promise<number | null> {
    return this.#end("SIGTERM");
  }

  /** Kills it and removes its data. */
  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.dataDir, { recursive: true, force: true });
  }

  async #end(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return child?.exitCode ?? null;
    const exited = once(child, "exit");
    child.kill(signal);
    await exited;
    return child.exitCode;
  }
}

/** A port of this machine that nobody uses now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

/**
 * Whether the server was not there, was stopping, or went away during the call: then it may or may not have happened.
 * Anything else is a defect of the server.
 */
export function isConnectionLost({ code, message }: ConnectError): boolean {
  // Connect's words for a broken connection: ECONNREFUSED is unavailable, ECONNRESET aborted, and EPIPE internal.
  return code === Code.Unavailable || code === Code.Aborted || (code === Code.Internal && message.includes("EPIPE"));
}
