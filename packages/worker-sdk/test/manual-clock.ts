import type { Clock, Timer } from "@tq/client";

/** A clock that stands still until it is moved. */
export class ManualClock implements Clock {
  #nowMs = Date.UTC(2026, 0, 1);
  readonly #timers = new Set<{ dueMs: number; callback: () => void }>();

  now(): number {
    return this.#nowMs;
  }

  setTimeout(callback: () => void, delayMs: number): Timer {
    const timer = { dueMs: this.#nowMs + Math.max(0, delayMs), callback };
    this.#timers.add(timer);
    return timer;
  }

  clearTimeout(timer: Timer): void {
    this.#timers.delete(timer as { dueMs: number; callback: () => void });
  }

  /** Timers that wait. */
  get pending(): number {
    return this.#timers.size;
  }

  /** The time of day is set to another one. Timers wait for time to pass, and are none the wiser. */
  jump(ms: number): void {
    this.#nowMs += ms;
    for (const timer of this.#timers) timer.dueMs += ms;
  }

  /** Moves on by `ms`, firing what becomes due in order, and lets everything settle after each. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    await settle();
    for (;;) {
      let next: { dueMs: number; callback: () => void } | undefined;
      for (const timer of this.#timers) if (next === undefined || timer.dueMs < next.dueMs) next = timer;
      if (next === undefined || next.dueMs > endMs) break;
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      this.#timers.delete(next);
      next.callback();
      await settle();
    }
    this.#nowMs = endMs;
    await settle();
  }
}

/** Lets whatever can go on without time passing go on. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}
