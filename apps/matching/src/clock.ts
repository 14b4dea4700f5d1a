/** Stops a timer; does nothing if it has fired. */
export type Cancel = () => void;

/** Time, passed in so that tests move it. */
export interface Clock {
  /** Wall time in ms since the epoch. May jump; the server only looks at it once, at its start. */
  wallNow(): number;
  /** Ms since some moment; never jumps, never goes back. */
  monotonicNow(): number;
  /** Calls back once, after so many ms. Does not keep the process alive. */
  after(delayMs: number, callback: () => void): Cancel;
  /** Calls back once the events that have arrived have been taken in. */
  soon(callback: () => void): void;
}

/** Longest delay that Node's timers take; longer ones fire at once. */
const maxTimerMs = 2 ** 31 - 1;

/** The machine's time. */
export const systemClock: Clock = {
  wallNow: () => Date.now(),
  monotonicNow: () => performance.now(),
  after: (delayMs, callback) => {
    const timer = setTimeout(callback, Math.min(Math.max(delayMs, 0), maxTimerMs));
    timer.unref();
    return () => clearTimeout(timer);
  },
  soon: (callback) => void setImmediate(callback),
};

/**
 * The server's time: wall time at the start plus a monotonic clock, so that it never goes back, and never less than what
 * the store has seen.
 */
export class ServerTime {
  readonly #clock: Clock;
  #base: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#base = clock.wallNow() - clock.monotonicNow();
  }

  /** In whole ms since the epoch. */
  now(): number {
    return Math.floor(this.#base + this.#clock.monotonicNow());
  }

  /** Moves on to at least this time: the last one that the store has seen. */
  atLeast(time: number): void {
    const behind = time - this.now();
    if (behind > 0) this.#base += behind;
  }
}
