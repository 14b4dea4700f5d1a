import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { once } from "node:events";
import { join } from "node:path";

/** What the demo's processes tell it. */
export type ChildMessage =
  /** A workflow has ended. */
  | { readonly kind: "ended"; readonly workflow: string }
  /** How many events found their workflow ready, and how many had it replayed first. */
  | { readonly kind: "runs"; readonly hits: number; readonly misses: number }
  /** How long tasks waited from added to dispatched. */
  | { readonly kind: "latencies"; readonly ms: readonly number[] };

/** How to start a process. */
export interface ChildOptions {
  /** For people, and the name of its log. */
  readonly name: string;
  /** Node's arguments: a file, and what that is told. */
  readonly args: readonly string[];
  readonly logFolder: string;
  readonly onMessage?: (message: ChildMessage) => void;
  /** It ended, and was not asked to. */
  readonly onLost: (child: Child) => void;
}

/** A process of the demo. All that it prints goes to a file. */
export class Child {
  readonly name: string;
  readonly logFile: string;
  readonly #process: ChildProcess;
  readonly #exited: Promise<unknown>;
  #isExpected = false;

  constructor({ name, args, logFolder, onMessage, onLost }: ChildOptions) {
    this.name = name;
    this.logFile = join(logFolder, `${name.replaceAll(" ", "-")}.log`);
    const log = openSync(this.logFile, "a");
    const stdio = ["ignore", log, log, ...(onMessage === undefined ? [] : (["ipc"] as const))] as const;
    this.#process = spawn(process.execPath, args, { stdio: [...stdio] });
    closeSync(log);
    if (onMessage !== undefined) this.#process.on("message", (message) => onMessage(message as ChildMessage));
    // Without a listener a process that could not be started would be an exception; it is lost, like any other.
    this.#process.on("error", () => {});
    this.#exited = once(this.#process, "close").catch(() => {});
    void this.#exited.then(() => this.#isExpected || onLost(this));
  }

  /** How it ended, in words. */
  get ending(): string {
    const { exitCode, signalCode, pid } = this.#process;
    if (pid === undefined) return "could not be started";
    return signalCode === null ? `ended with status ${exitCode}` : `was ended by ${signalCode}`;
  }

  /** Ends it on the spot, and waits until it is gone. */
  async kill(): Promise<void> {
    this.#isExpected = true;
    this.#process.kill("SIGKILL");
    await this.#exited;
  }

  /** Asks it to end, and waits; kills it if it does not. Answers whether it ended by itself, with status 0. */
  async stop(withinMs: number): Promise<boolean> {
    this.#isExpected = true;
    this.#process.kill("SIGTERM");
    const timer = setTimeout(() => this.#process.kill("SIGKILL"), withinMs);
    await this.#exited;
    clearTimeout(timer);
    return this.#process.exitCode === 0;
  }

  /** The last lines that it printed. */
  async lastLines(count: number): Promise<string> {
    const text = await readFile(this.logFile, "utf8").catch(() => "");
    return text.trimEnd().split("\n").slice(-count).join("\n");
  }
}
