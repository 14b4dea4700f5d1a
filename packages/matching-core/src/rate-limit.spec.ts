import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { allowedAt, arrivalAfterChange, defaultBurst, dispatchedAt, type RateLimit } from "./rate-limit.ts";

/** About the time of day at which a server runs: what is exact near 0 need not be so there. */
const start = 1_800_000_000_000;

/** Everything a restart leaves of a limited queue. */
class Limited {
  arrival = 0;
  #limit: RateLimit | undefined;

  /** The limit is another one now. */
  change(limit: RateLimit, now: number): void {
    if (this.#limit !== undefined && this.#limit !== limit) {
      this.arrival = arrivalAfterChange(this.#limit, limit, this.arrival, now);
    }
    this.#limit = limit;
  }

  /** Dispatches up to `wanted`, as a claim does. Answers how many it could. */
  take(limit: RateLimit, now: number, wanted = Infinity): number {
    this.change(limit, now);
    let taken = 0;
    while (taken < wanted && allowedAt(limit, this.arrival) <= now) {
      this.arrival = dispatchedAt(limit, this.arrival, now);
      taken += 1;
    }
    return taken;
  }
}

/** The steepest window: how many more than rate × window came in any. Times ascend. */
function mostAtOnce(times: readonly number[], rate: number): number {
  let most = 0;
  let lowest = Infinity;
  times.forEach((time, i) => {
    const ahead = i - (rate * (time - start)) / 1_000;
    lowest = Math.min(lowest, ahead);
    most = Math.max(most, ahead - lowest + 1);
  });
  return most;
}

/** A bucket of tokens, filled once a look: the textbook's other way to say the same. Counted in tokens, not in times. */
class Bucket {
  readonly #limit: RateLimit;
  #tokens: number;
  #at = start;

  constructor(limit: RateLimit) {
    this.#limit = limit;
    this.#tokens = limit.burst;
  }

  at(now: number): number {
    const { rate, burst } = this.#limit;
    this.#tokens = Math.min(burst, this.#tokens + ((now - this.#at) * rate) / 1_000);
    this.#at = now;
    return this.#tokens;
  }

  take(): void {
    this.#tokens -= 1;
  }
}

/** 0.001 to 100,000 per second, small ones as often as large ones. */
const rates = fc
  .double({ min: -3, max: 5, noNaN: true })
  .map((power) => Math.min(Math.max(10 ** power, 0.001), 100_000));
const bursts = fc.oneof(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 300 }));
const limits = fc.record({ rate: rates, burst: bursts });
/** Looks that follow close upon each other, or after a quiet time. */
const pauses = fc.oneof(fc.nat(3), fc.nat(200), fc.nat(5_000), fc.nat(10_000_000));
const looks = fc.array(fc.record({ after: pauses, wanted: fc.integer({ min: 1, max: 400 }) }), { maxLength: 60 });

describe("a rate limit", () => {
  // [limit, [now, dispatches wanted] …] → [dispatches done, when the next is allowed] …, both from `start`
  it.each<[string, RateLimit, [number, number][], [number, number][]]>([
    [
      "one a second",
      { rate: 1, burst: 1 },
      [
        [0, 5],
        [999, 5],
        [1_000, 5],
      ],
      [
        [1, 1_000],
        [0, 1_000],
        [1, 2_000],
      ],
    ],
    [
      "a burst at first",
      { rate: 10, burst: 3 },
      [
        [0, 9],
        [99, 9],
        [100, 9],
      ],
      [
        [3, 100],
        [0, 100],
        [1, 200],
      ],
    ],
    [
      "no more than a burst after a quiet time",
      { rate: 10, burst: 3 },
      [
        [0, 9],
        [86_400_000, 9],
      ],
      [
        [3, 100],
        [3, 86_400_100],
      ],
    ],
    [
      "half a burst after half of its time",
      { rate: 10, burst: 4 },
      [
        [0, 9],
        [200, 9],
      ],
      [
        [4, 100],
        [2, 300],
      ],
    ],
    [
      "what was not used is there later",
      { rate: 10, burst: 3 },
      [
        [0, 1],
        [0, 9],
        [100, 9],
      ],
      [
        [1, -100],
        [2, 100],
        [1, 200],
      ],
    ],
    [
      "several each ms",
      { rate: 4_000, burst: 8 },
      [
        [0, 99],
        [1, 99],
        [2, 99],
      ],
      [
        [8, 1],
        [4, 2],
        [4, 3],
      ],
    ],
    [
      "one each ms at most, with a burst of 1",
      { rate: 4_000, burst: 1 },
      [
        [0, 99],
        [1, 99],
        [2, 99],
      ],
      [
        [1, 1],
        [1, 2],
        [1, 3],
      ],
    ],
    [
      "less than one an hour",
      { rate: 1 / 7_200, burst: 1 },
      [
        [0, 1],
        [7_199_999, 1],
        [7_200_000, 1],
      ],
      [
        [1, 7_200_000],
        [0, 7_200_000],
        [1, 14_400_000],
      ],
    ],
  ])("%s", (_name, limit, asked, decisions) => {
    const limited = new Limited();
    const decided = asked.map(([at, wanted]) => [
      limited.take(limit, start + at, wanted),
      allowedAt(limit, limited.arrival) - start,
    ]);
    expect(decided).toEqual(decisions);
  });

  // [before, used up, after] → when the next is allowed, from the change; 0: at once
  it.each<[string, RateLimit, RateLimit, number]>([
    ["a raised rate counts from now", { rate: 0.001, burst: 1 }, { rate: 100, burst: 1 }, 10],
    ["a raised burst fills with time", { rate: 1, burst: 1 }, { rate: 1, burst: 5 }, 1_000],
    ["a lowered rate holds for the next one", { rate: 100, burst: 1 }, { rate: 0.1, burst: 1 }, 10_000],
    ["a lowered burst gives no more than itself", { rate: 1, burst: 100 }, { rate: 1, burst: 1 }, 1_000],
  ])("%s", (_name, before, after, wait) => {
    const limited = new Limited();
    limited.take(before, start);
    limited.change(after, start);
    const allowed = allowedAt(after, limited.arrival);
    expect(Math.max(allowed - start, 0)).toBe(wait);
  });

  it.each([
    [0.001, 1],
    [0.999, 1],
    [1, 1],
    [2.5, 2],
    [100_000, 100_000],
  ])("of %d a second that names no burst lets %i come at once", (rate, burst) => {
    expect(defaultBurst(rate)).toBe(burst);
  });

  it("lets no more through than rate × window + burst, over any window and any restart", () => {
    const property = fc.property(limits, looks, (limit, all) => {
      let limited = new Limited();
      let now = start;
      const times: number[] = [];
      for (const { after, wanted } of all) {
        now += after;
        const restarted = new Limited();
        restarted.arrival = limited.arrival;
        limited = restarted;
        for (let n = limited.take(limit, now, wanted); n > 0; n--) times.push(now);
      }
      expect(mostAtOnce(times, limit.rate)).toBeLessThanOrEqual(limit.burst * (1 + 1e-9));
    });
    fc.assert(property, { numRuns: 500 });
  });

  it("agrees with a bucket of tokens, but for its rounding: at most one unit of 2^-11 ms each", () => {
    const property = fc.property(limits, looks, (limit, all) => {
      const limited = new Limited();
      // The rate that the rounded interval is.
      const rate = 1_000 / (Math.ceil((1_000 / limit.rate) * 2_048) / 2_048);
      const bucket = new Bucket({ rate, burst: limit.burst });
      let now = start;
      for (const { after, wanted } of all) {
        now += after;
        for (let i = 0; i < wanted; i++) {
          const tokens = bucket.at(now);
          const at = allowedAt(limit, limited.arrival);
          if (at <= now) {
            expect(tokens).toBeGreaterThan(1 - 1e-6);
            limited.arrival = dispatchedAt(limit, limited.arrival, now);
            bucket.take();
          } else {
            expect(tokens).toBeLessThan(1 + 1e-6);
            // Whole ms: a token is there by then, and not one ms earlier.
            expect(tokens + ((at - now) * rate) / 1_000).toBeGreaterThan(1 - 1e-6);
            expect(tokens + ((at - 1 - now) * rate) / 1_000).toBeLessThan(1 + 1e-6);
            break;
          }
        }
      }
    });
    fc.assert(property, { numRuns: 300 });
  });

  it("never starves: whoever looks at the time it names gets one, and the rate is reached", () => {
    const property = fc.property(limits, fc.integer({ min: 1, max: 400 }), (limit, n) => {
      const limited = new Limited();
      let now = start;
      for (let i = 0; i < n; i++) {
        expect(limited.take(limit, now, 1)).toBe(1);
        now = Math.max(now, allowedAt(limit, limited.arrival));
      }
      // All but the burst take an interval each: a whole number of ms where there is no second one of the burst to make
      // up for what was rounded.
      const exact = 1_000 / limit.rate + 2 ** -11;
      const interval = (limit.burst - 1) * exact >= 1 ? exact : Math.ceil(exact);
      expect(now - start).toBeLessThanOrEqual(Math.ceil((n - Math.min(limit.burst, n) + 1) * interval));
    });
    fc.assert(property, { numRuns: 300 });
  });

  it("holds over changes: under each limit no window has more than its rate × window + burst", () => {
    const change = fc.record({ limit: limits, looks: fc.array(pauses, { minLength: 1, maxLength: 12 }) });
    const property = fc.property(fc.array(change, { minLength: 1, maxLength: 8 }), (changes) => {
      const limited = new Limited();
      let now = start;
      for (const { limit, looks: all } of changes) {
        const times: number[] = [];
        for (const after of all) {
          for (let n = limited.take(limit, now, 400); n > 0; n--) times.push(now);
          now += after;
        }
        expect(mostAtOnce(times, limit.rate)).toBeLessThanOrEqual(limit.burst * (1 + 1e-9));
      }
    });
    fc.assert(property, { numRuns: 300 });
  });

  it("takes a raised limit up at once: the next is one of its intervals away at most", () => {
    const property = fc.property(limits, limits, fc.nat(5_000), (before, after, pause) => {
      const limited = new Limited();
      limited.take(before, start, 1_000);
      const now = start + pause;
      limited.change(after, now);
      const wait = allowedAt(after, limited.arrival) - now;
      expect(wait).toBeLessThanOrEqual(Math.ceil(1_000 / after.rate + 2 ** -11));
    });
    fc.assert(property, { numRuns: 300 });
  });

  it("gives no second burst, however often it changes and back", () => {
    const property = fc.property(limits, limits, fc.integer({ min: 2, max: 20 }), (one, other, times) => {
      const limited = new Limited();
      let taken = 0;
      for (let i = 0; i < times; i++) taken += limited.take(i % 2 === 0 ? one : other, start, 10_000);
      expect(taken).toBeLessThanOrEqual(Math.ceil(Math.max(one.burst, other.burst)));
    });
    fc.assert(property, { numRuns: 300 });
  });

  it("counts as used up where there was none before", () => {
    const limit = { rate: 1, burst: 3 };
    expect(allowedAt(limit, arrivalAfterChange(undefined, limit, start + 1e9, start))).toBe(start + 1_000);
    expect(allowedAt(limit, arrivalAfterChange(undefined, limit, start, start))).toBeLessThanOrEqual(start);
  });

  it.each([5e-324, 1e-300, 1e-9])("of %d a second allows one, and the next in decades", (rate) => {
    const limited = new Limited();
    expect(limited.take({ rate, burst: 1 }, start)).toBe(1);
    expect(allowedAt({ rate, burst: 1 }, limited.arrival)).toBeGreaterThan(start + 20 * 365 * 86_400_000);
    expect(limited.take({ rate, burst: 1 }, start + 86_400_000)).toBe(0);
  });
});
