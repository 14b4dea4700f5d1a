/** A timer that waits. */
interface Waiting {
  readonly at: number;
  readonly order: number;
  readonly callback: () => void;
}

/** How many rounds of the event loop must pass without a new timer before everything is taken to be quiet. */
const quietRounds = 4;

/**
 * A clock that stands still until a test moves it. It is the clock of a server (`createServer({clock})`), of a client
 * and of a worker alike, so one `advance` moves them all.
 */
export class ManualClock {
  #now: number;
  #order = 0;
  #changes = 0;
  readonly #timers = new Set<Waiting>();
  readonly #startedAt: number;

  /** @param startAt wall time at the beginning, in ms since the epoch; default 2026-01-01T00:00:00Z */
  constructor(startAt = Date.UTC(2026, 0, 1)) {
    this.#now = startAt;
    this.#startedAt = startAt;
  }

  /** Ms since the epoch. */
  now = (): number => this.#now;
  /** The same, as a server asks for it. */
  wallNow = (): number => this.#now;
  /** Ms since the clock was made. */
  monotonicNow = (): number => this.#now - this.#startedAt;

  /** Calls back when the clock has been moved so far. Answers how to take it back. */
  after = (delayMs: number, callback: () => void): (() => void) => {
    const timer = { at: this.#now + Math.max(delayMs, 0), order: this.#order++, callback };
    this.#timers.add(timer);
    this.#changes += 1;
    return () => void this.#timers.delete(timer);
  };

  setTimeout = (callback: () => void, delayMs: number): object => {
    const timer = { at: this.#now + Math.max(delayMs, 0), order: this.#order++, callback };
    this.#timers.add(timer);
    this.#changes += 1;
    return timer;
  };

  clearTimeout = (timer: object): void => {
    this.#timers.delete(timer as Waiting);
  };

  /** Calls back in the next round of the event loop: this is about order, not about time. */
  soon = (callback: () => void): void => void setImmediate(callback);

  /** How many timers wait. */
  get waiting(): number {
    return this.#timers.size;
  }

  /**
   * Moves the clock on. Every timer on the way fires at its own time, in order, and what it sets off comes to rest
   * before the next one fires.
   */
  async advance(ms: number): Promise<void> {
    const until = this.#now + ms;
    await this.settle();
    for (let next = this.#next(until); next !== undefined; next = this.#next(until)) {
      this.#timers.delete(next);
      this.#now = Math.max(this.#now, next.at);
      next.callback();
      await this.settle();
    }
    this.#now = until;
    await this.settle();
  }

  /** Lets everything that has begun come to rest, without moving the clock. */
  async settle(): Promise<void> {
    for (let quiet = 0; quiet < quietRounds;) {
      const before = this.#changes;
      await new Promise((resolve) => void setImmediate(resolve));
      quiet = this.#changes === before ? quiet + 1 : 0;
    }
  }

  #next(until: number): Waiting | undefined {
    let next: Waiting | undefined;
    for (const timer of this.#timers) {
      if (timer.at > until) continue;
      if (next === undefined || timer.at < next.at || (timer.at === next.at && timer.order < next.order)) next = timer;
    }
    return next;
  }
}
