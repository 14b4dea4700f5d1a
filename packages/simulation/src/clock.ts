import type { Cancel, Clock } from "@tq/matching";

interface Timer {
  readonly at: number;
  readonly order: number;
  readonly callback: () => void;
}

/** Rounds of the event loop that must pass without anything to do before everything is taken to have come to rest. */
const quietRounds = 2;

/**
 * The time of a simulated world. It stands still until it is moved; the wall clock may jump, as real ones do, while the
 * monotonic one never does. Nothing here looks at the machine's time.
 */
export class SimulatedClock {
  #elapsed = 0;
  #wallAtStart: number;
  #order = 0;
  readonly #timers = new Set<Timer>();
  #soon: (() => void)[] = [];

  /** @param startAt wall time at the beginning, in ms since the epoch */
  constructor(startAt: number) {
    this.#wallAtStart = startAt;
  }

  /** Ms since the world began. */
  get elapsed(): number {
    return this.#elapsed;
  }

  /** What the wall clock shows, in ms since the epoch. */
  get wall(): number {
    return this.#wallAtStart + this.#elapsed;
  }

  /** Somebody sets the wall clock: by so much later, or earlier. */
  jump(byMs: number): void {
    this.#wallAtStart += byMs;
  }

  /** The clock as one process sees it. Once `isDead`, nothing that it waited for ever happens. */
  forProcess(isDead: () => boolean): Clock {
    const alive = (callback: () => void) => (): void => {
      if (!isDead()) callback();
    };
    return {
      wallNow: () => this.wall,
      monotonicNow: () => this.#elapsed,
      after: (delayMs, callback) => this.#after(delayMs, alive(callback)),
      soon: (callback) => void this.#soon.push(alive(callback)),
    };
  }

  /** Moves the time on. What falls due on the way happens at its own time, in order, and comes to rest before the next. */
  async advance(byMs: number): Promise<void> {
    const until = this.#elapsed + byMs;
    await this.settle();
    for (let next = this.#next(until); next !== undefined; next = this.#next(until)) {
      this.#timers.delete(next);
      this.#elapsed = Math.max(this.#elapsed, next.at);
      next.callback();
      await this.settle();
    }
    this.#elapsed = until;
    await this.settle();
  }

  /**
   * Lets everything that has begun come to rest. Between two rounds of the event loop every promise is seen to, and
   * nothing in the world waits for anything but promises, this clock, and its simulated network.
   */
  async settle(): Promise<void> {
    for (let quiet = 0; quiet < quietRounds;) {
      await new Promise((resolve) => void setImmediate(resolve));
      const soon = this.#soon;
      this.#soon = [];
      for (const callback of soon) callback();
      quiet = soon.length === 0 ? quiet + 1 : 0;
    }
  }

  #after(delayMs: number, callback: () => void): Cancel {
    const timer = { at: this.#elapsed + Math.max(delayMs, 0), order: this.#order++, callback };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  #next(until: number): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.at > until) continue;
      if (next === undefined || timer.at < next.at || (timer.at === next.at && timer.order < next.order)) next = timer;
    }
    return next;
  }
}
