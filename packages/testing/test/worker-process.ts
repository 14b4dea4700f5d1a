import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { WorkerOptions } from "@tq/worker-sdk";

const program = fileURLToPath(new URL("./worker-program.ts", import.meta.url));

/** A line that a worker in a process of its own has said. */
export type Said = Readonly<Record<string, unknown>>;

/** A worker in a process of its own, which a test may kill. Its program is worker-program.ts. */
export class WorkerProcess {
  readonly #child: ChildProcess;
  readonly #said: Said[] = [];
  readonly #waiting = new Set<() => void>();
  #errors = "";
  #unfinished = "";

  constructor(options: Partial<WorkerOptions>) {
    this.#child = spawn(process.execPath, [program, JSON.stringify(options)], { stdio: ["ignore", "pipe", "pipe"] });
    this.#child.stderr?.on("data", (chunk: Buffer) => {
      this.#errors += chunk.toString();
      this.#stir();
    });
    this.#child.stdout?.on("data", (chunk: Buffer) => {
      const lines = (this.#unfinished + chunk.toString()).split("\n");
      this.#unfinished = lines.pop() ?? "";
      this.#said.push(...lines.map((line) => JSON.parse(line) as Said));
      this.#stir();
    });
    this.#child.once("exit", () => this.#stir());
  }

  /** What it has said so far. */
  get said(): readonly Said[] {
    return this.#said;
  }

  /** What it has printed to stderr so far. */
  get errors(): string {
    return this.#errors;
  }

  /** Resolves once `isTrue` holds, which is looked at whenever the worker says something. */
  async until(isTrue: () => boolean): Promise<void> {
    while (!isTrue()) {
      if (this.#child.exitCode !== null) throw new Error(`the worker has ended:\n${this.#errors}`);
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  /** Ends it, unless it has ended, and answers its exit status: null where the signal killed it. */
  async end(signal: NodeJS.Signals): Promise<number | null> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return this.#child.exitCode;
    const exited = once(this.#child, "exit");
    this.#child.kill(signal);
    await exited;
    return this.#child.exitCode;
  }

  #stir(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}
