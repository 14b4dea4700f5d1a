import type { Clock, Timer } from "@tq/client";
import type { HeldTask } from "./held-task.ts";

/** What the timeouts need. */
export interface AttemptTimeoutsOptions {
  readonly clock: Clock;
  /** Everything that the worker holds. */
  readonly held: Iterable<HeldTask>;
}

/** The longest that a timer waits. */
const longestTimerMs = 2 ** 31 - 1;

/**
 * Tells handlers whose start-to-close timeout is over, by the worker's own clock: also while the server is away. It has one
 * timer, for the first that is due; when that fires all that is held is looked through. Most attempts end long before, and
 * so they cost a comparison each.
 */
export class AttemptTimeouts {
  readonly #options: AttemptTimeoutsOptions;
  #timer: Timer | undefined;
  #dueAtMs = Number.POSITIVE_INFINITY;

  constructor(options: AttemptTimeoutsOptions) {
    this.#options = options;
  }

  /** These are held from now on. */
  begun(tasks: readonly HeldTask[]): void {
    let dueAtMs = this.#dueAtMs;
    for (const { timesOutAtMs } of tasks) dueAtMs = Math.min(dueAtMs, timesOutAtMs);
    if (dueAtMs < this.#dueAtMs) this.#wakeAt(dueAtMs);
  }

  /** Nothing is held any more. */
  stop(): void {
    if (this.#timer !== undefined) this.#options.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#dueAtMs = Number.POSITIVE_INFINITY;
  }

  #wakeAt(dueAtMs: number): void {
    const { clock } = this.#options;
    this.stop();
    this.#dueAtMs = dueAtMs;
    const waitMs = Math.min(longestTimerMs, Math.max(0, dueAtMs - clock.now()));
    this.#timer = clock.setTimeout(() => this.#look(), waitMs);
  }

  #look(): void {
    const { clock, held } = this.#options;
    this.stop();
    const nowMs = clock.now();
    let nextMs = Number.POSITIVE_INFINITY;
    for (const task of held) {
      if (!task.isRunning || task.isTimedOut) continue;
      if (task.timesOutAtMs <= nowMs) task.timedOut();
      else nextMs = Math.min(nextMs, task.timesOutAtMs);
    }
    if (nextMs < Number.POSITIVE_INFINITY) this.#wakeAt(nextMs);
  }
}
