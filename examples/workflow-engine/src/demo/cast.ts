import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Client } from "@tq/client";
import { Child, type ChildMessage } from "./child.ts";

/** The CLI, which lies beside this package in the repository: it is run, not imported. */
export const tqFile = fileURLToPath(new URL("../../../../apps/cli/bin/tq.js", import.meta.url));

const startsWithinMs = 20_000;

/** Something that a run of the demo cannot go on after. The message says what happened, to what, and what to do. */
export class DemoError extends Error {
  override readonly name = "DemoError";
}

/** What the processes are started with. */
export interface CastOptions {
  readonly folder: string;
  readonly workFolder: string;
  readonly port: number;
  readonly onMessage: (message: ChildMessage) => void;
  readonly onLost: (child: Child) => void;
}

/** Starts the demo's processes, and knows which of them run. */
export class Cast {
  readonly address: string;
  readonly logFile: string;
  readonly #options: CastOptions;
  readonly #children = new Set<Child>();

  constructor(options: CastOptions) {
    this.#options = options;
    this.address = `127.0.0.1:${options.port}`;
    this.logFile = join(options.workFolder, "engine-log.txt");
  }

  /** A server; resolves when it answers. */
  async startServer(): Promise<Child> {
    const data = join(this.#options.workFolder, "data");
    const server = this.#start("server", [tqFile, "server", "start", "--listen", this.address, "--data", data], false);
    const client = Client.create({ address: this.address });
    const giveUpAt = performance.now() + startsWithinMs;
    try {
      for (;;) {
        try {
          await client.services.operator.getServerInfo({}, { timeoutMs: 2_000 });
          return server;
        } catch (error) {
          if (!this.#children.has(server)) throw await failureOf(server);
          if (performance.now() > giveUpAt) {
            const seconds = startsWithinMs / 1_000;
            const cause = { cause: error };
            throw new DemoError(`The server did not answer within ${seconds} s: see ${server.logFile}.`, cause);
          }
          await sleep(50);
        }
      }
    } finally {
      await client.close();
    }
  }

  /** The engine. */
  startEngine(): Child {
    return this.#start("engine", [sibling("engine-process"), this.address, this.logFile], true);
  }

  /** A worker. */
  startWorker(name: string): Child {
    return this.#start(name, [sibling("worker-process"), this.address, this.#options.folder], true);
  }

  /** Kills one on the spot. */
  async kill(child: Child): Promise<void> {
    this.#children.delete(child);
    await child.kill();
  }

  /** Asks these to end, one after the other. @throws DemoError if one does not do so in order. */
  async stop(children: readonly Child[]): Promise<void> {
    for (const child of children) {
      const isInOrder = await child.stop(15_000);
      this.#children.delete(child);
      if (!isInOrder) throw await failureOf(child);
    }
  }

  /** Whatever still runs is killed. */
  async killAll(): Promise<void> {
    await Promise.all([...this.#children].map((child) => this.kill(child)));
  }

  #start(name: string, args: readonly string[], talks: boolean): Child {
    const { workFolder: logFolder, onMessage, onLost } = this.#options;
    const child = new Child({
      name,
      args,
      logFolder,
      ...(talks && { onMessage }),
      onLost: (lost) => {
        this.#children.delete(lost);
        onLost(lost);
      },
    });
    this.#children.add(child);
    return child;
  }
}

/** That a process ended, with the last that it said. */
export async function failureOf(child: Child): Promise<DemoError> {
  return new DemoError(`The ${child.name} ${child.ending}. It last said:\n${await child.lastLines(8)}`);
}

/** A file beside this one: compiled, if this one is. */
function sibling(name: string): string {
  const extension = import.meta.url.endsWith(".ts") ? ".ts" : ".js";
  return fileURLToPath(new URL(`./${name}${extension}`, import.meta.url));
}
