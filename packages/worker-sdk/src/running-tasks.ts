import type { HeldTask } from "./held-task.ts";

/** The deliveries whose handlers run, in no order: each knows its place, so that it is found without a key. */
export class RunningTasks {
  readonly #tasks: HeldTask[] = [];

  get size(): number {
    return this.#tasks.length;
  }

  /** All of them, as of now. */
  all(): readonly HeldTask[] {
    return [...this.#tasks];
  }

  add(held: HeldTask): void {
    held.runningIndex = this.#tasks.push(held) - 1;
  }

  /** Takes it out, if it is in. */
  delete(held: HeldTask): void {
    const at = held.runningIndex;
    if (at === undefined) return;
    held.runningIndex = undefined;
    const last = this.#tasks.pop();
    if (last === undefined || last === held) return;
    this.#tasks[at] = last;
    last.runningIndex = at;
  }
}
