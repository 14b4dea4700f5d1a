import type { Clock } from "@tq/client";
import { ChurnMap } from "@tq/client/internal";
import { AttemptTimeouts } from "./attempt-timeouts.ts";
import type { HeldTask } from "./held-task.ts";

/** Who keeps the leases of what is held. */
export interface HeldTasksWatcher {
  begun(tasks: readonly HeldTask[]): void;
  over(key: string): void;
}

/** The deliveries whose leases the worker keeps alive, by their tokens. Their handlers are told when their time is over. */
export class HeldTasks {
  readonly #clock: Clock;
  readonly #tasks = new ChurnMap<HeldTask>();
  readonly #watcher: HeldTasksWatcher;
  readonly #timeouts: AttemptTimeouts;

  constructor(clock: Clock, watcher: HeldTasksWatcher) {
    this.#clock = clock;
    this.#watcher = watcher;
    this.#timeouts = new AttemptTimeouts({ clock, held: this });
  }

  get size(): number {
    return this.#tasks.size;
  }

  [Symbol.iterator](): IterableIterator<HeldTask> {
    return this.#tasks[Symbol.iterator]();
  }

  has(key: string): boolean {
    return this.#tasks.has(key);
  }

  add(tasks: readonly HeldTask[]): void {
    for (const held of tasks) this.#tasks.set(held.key, held);
    this.#watcher.begun(tasks);
    this.#timeouts.begun(tasks);
  }

  /** No handler is told of anything any more. */
  stop(): void {
    this.#timeouts.stop();
  }

  delete(held: HeldTask): void {
    if (!this.#tasks.delete(held.key)) return;
    this.#watcher.over(held.key);
    if (this.#tasks.size === 0) this.#timeouts.stop();
  }

  /**
   * The server says that a lease is gone. One that is answered already, or whose answer is on its way, is left alone: the
   * answer's own status says how that went.
   */
  lost(key: string): void {
    const held = this.#tasks.get(key);
    // Somebody else has answered it, or its lease is over: that is not for this worker to do anything about.
    if (held?.state === "handed-over") this.delete(held);
    if (held?.state !== "running") return;
    this.delete(held);
    held.lost(this.#clock.now());
  }

  /** Somebody asks for a task to be canceled. */
  cancelRequested(key: string, reason: string): void {
    this.#tasks.get(key)?.cancelRequested(reason);
  }
}
