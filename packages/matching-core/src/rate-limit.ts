/*
 * Rate limits as a virtual schedule (GCRA, the generic cell rate algorithm of ITU-T I.371): one number, the theoretical
 * arrival time, says all there is to say. Stored with the dispatch that it allowed, it holds over any restart: over any
 * window never more than rate × window + burst.
 */

/** A rate, and how far it may be anticipated after a quiet time. */
export interface RateLimit {
  /** Per second; more than 0. */
  readonly rate: number;
  /**
   * How many may come at once, at least 1. Time is in whole ms: with a burst of 1 each wait is rounded up to one, so that
   * a rate over 1,000/s is only reached with a burst of more than a thousandth of it.
   */
  readonly burst: number;
}

/**
 * Times are doubles of ms; about the year 2024 they are exact to 2^-12 ms. An interval that is a multiple of 2^-11 ms adds
 * up without error until 2109, and rounded up it never lets more through than the rate: at 10,000/s at most 0.5 % less,
 * at 100,000/s at most 5 %. No rate goes above two million a second, which is more than any store does.
 */
const exact = 2 ** -11;

/** Thirty years. A rate may be so small that its interval is no finite number, and with Infinity nothing can be counted. */
const longestIntervalMs = 2 ** 40;

/** Ms from one dispatch to the next. */
function intervalMs(rate: number): number {
  return Math.min(Math.ceil(1_000 / rate / exact) * exact, longestIntervalMs);
}

/** Dispatches that may come at once, of a rate that names no burst: those of one second, at least 1. */
export function defaultBurst(rate: number): number {
  return Math.max(1, Math.floor(rate));
}

/**
 * When the next dispatch is allowed, in whole ms; `now` or earlier: at once.
 *
 * @param arrival theoretical arrival time of the last dispatch; 0 for none
 */
export function allowedAt({ rate, burst }: RateLimit, arrival: number): number {
  return Math.ceil(arrival - (burst - 1) * intervalMs(rate));
}

/** The theoretical arrival time after one more dispatch. Only what {@link allowedAt} allows may be dispatched. */
export function dispatchedAt({ rate }: RateLimit, arrival: number, now: number): number {
  return Math.max(arrival, now) + intervalMs(rate);
}

/** `at` + (arrival - `from`) × `factor`, and at most `most`: see {@link arrivalAfterChange}. */
export interface ArrivalChange {
  readonly most: number;
  readonly at: number;
  readonly from: number;
  readonly factor: number;
}

/**
 * What becomes of theoretical arrival times after `now` as a limit takes the place of another. As many dispatches may come
 * at once as before, but no more than the new burst: so no change, and no number of changes, gives a second burst; a
 * higher rate shortens the wait at once, and a larger burst fills with time. Of a limit that was not there, or is not
 * known, the whole burst counts as used.
 */
export function changeOfArrival(before: RateLimit | undefined, after: RateLimit, now: number): ArrivalChange {
  const interval = intervalMs(after.rate);
  if (before === undefined) return { most: now + after.burst * interval, at: now, from: now, factor: 1 };
  const at = now + (after.burst - before.burst) * interval;
  return { most: now + after.burst * interval, at, from: now, factor: interval / intervalMs(before.rate) };
}

/** The theoretical arrival time once a limit has taken the place of another. */
export function arrivalAfterChange(
  before: RateLimit | undefined,
  after: RateLimit,
  arrival: number,
  now: number,
): number {
  if (arrival <= now) return arrival;
  const { most, at, from, factor } = changeOfArrival(before, after, now);
  return Math.min(most, Math.ceil((at + (arrival - from) * factor) / exact) * exact);
}
