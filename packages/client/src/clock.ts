/** What a {@link Clock} gave out for a timer; only good for handing back to the clock it came from. */
export type Timer = object;

/**
 * The only way this package and the worker SDK hear of time, so that a test can move it. Waiting is done in
 * milliseconds; nothing here is told the time of day except to stamp it on something.
 */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Calls back once, `delayMs` milliseconds from now; 0 or less means as soon as possible. */
  setTimeout(callback: () => void, delayMs: number): Timer;
  /** Takes a timer back. One that has fired, or was taken back before, is no error. */
  clearTimeout(timer: Timer): void;
  /**
   * True of a clock that a test moves: hours are gone through call by call, so a worker renews its leases half as often, and makes
   * no call that is only to say that it lives while a poll of it waits at the server and says the same. Default false.
   */
  readonly isMovedByHand?: boolean;
}

/** Node fires timers at once that are longer than this. */
const longestTimeoutMs = 2 ** 31 - 1;

/** The machine's own clock. A timer longer than 24.8 days fires after 24.8 days: whoever waits longer looks again. */
export const systemClock: Clock = Object.freeze({
  now: () => Date.now(),
  setTimeout: (callback: () => void, delayMs: number) => setTimeout(callback, Math.min(delayMs, longestTimeoutMs)),
  clearTimeout: (timer: Timer) => clearTimeout(timer as NodeJS.Timeout),
});

/**
 * Resolves `delayMs` milliseconds from now by `clock`. Rejects with the signal's reason as soon as `signal` aborts, and
 * leaves no timer and no listener behind either way.
 */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(signal.reason as Error);
      return;
    }
    const endsAtMs = clock.now() + delayMs;
    const onAbort = () => {
      clock.clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const onTime = () => {
      const leftMs = endsAtMs - clock.now();
      if (leftMs > 1 && delayMs > longestTimeoutMs) {
        timer = clock.setTimeout(onTime, leftMs);
        return;
      }
      signal?.removeEventListener("abort", onAbort);
      resolve();
    };
    let timer = clock.setTimeout(onTime, delayMs);
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}
