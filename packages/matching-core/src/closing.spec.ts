import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { afterFailure, afterReturn, isDead, onCloseTaskId, serverFailure, type AfterFailure } from "./closing.ts";
import { defaultRetryPolicy, type RetryableFailure } from "./retry.ts";

const boom: RetryableFailure = { type: "Boom", nonRetryable: false };
const lost: RetryableFailure = { type: serverFailure.workerLost, nonRetryable: false };
const slow: RetryableFailure = { type: serverFailure.startToClose, nonRetryable: false };
/** 1 s, then 2 s, then it is over. */
const three = { ...defaultRetryPolicy("activity"), jitter: 0, maximumAttempts: 3 };

describe("what follows an attempt that failed", () => {
  const closed = (state: "failed" | "timed-out" | "canceled") => ({ next: "closed", state }) as const;
  const scheduled = (at: number) => ({ next: "scheduled", at }) as const;

  // [what happened, the failure, attempts used before, cancel asked for, what it closes as, now] → decision
  it.each<[string, RetryableFailure, number, boolean, "failed" | "timed-out", number, AfterFailure]>([
    ["the first failure", boom, 0, false, "failed", 5_000, scheduled(6_000)],
    ["the second", boom, 1, false, "failed", 5_000, scheduled(7_000)],
    ["the last", boom, 2, false, "failed", 5_000, closed("failed")],
    ["one that names its wait", { ...boom, nextRetryDelayMs: 90 }, 0, false, "failed", 5_000, scheduled(5_090)],
    ["one that is not to be retried", { ...boom, nonRetryable: true }, 0, false, "failed", 5_000, closed("failed")],
    ["a lost worker", lost, 0, false, "failed", 5_000, scheduled(6_000)],
    ["a worker lost for the last time", lost, 2, false, "failed", 5_000, closed("failed")],
    ["start-to-close is over", slow, 1, false, "timed-out", 5_000, scheduled(7_000)],
    ["start-to-close is over for the last time", slow, 2, false, "timed-out", 5_000, closed("timed-out")],
    ["a failure after a cancel request", boom, 0, true, "failed", 5_000, closed("canceled")],
    ["a lost worker after a cancel request", lost, 0, true, "failed", 5_000, closed("canceled")],
    ["a timeout after a cancel request", slow, 2, true, "timed-out", 5_000, closed("canceled")],
  ])("%s", (_name, failure, attemptsUsed, cancelRequested, ending, now, decision) => {
    expect(afterFailure({ attemptsUsed, cancelRequested, retryPolicy: three }, failure, ending, now, 0)).toEqual(
      decision,
    );
  });

  it("is never another attempt where a cancel was asked for, or the attempts are used up", () => {
    const property = fc.property(
      fc.record({ attemptsUsed: fc.nat(40), cancelRequested: fc.boolean(), maximumAttempts: fc.nat(30) }),
      fc.record({ type: fc.constantFrom("Boom", "WorkerLost"), nonRetryable: fc.boolean() }),
      fc.constantFrom("failed" as const, "timed-out" as const),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      ({ attemptsUsed, cancelRequested, maximumAttempts }, failure, ending, random) => {
        const retryPolicy = { ...three, jitter: 0.5, maximumAttempts };
        const after = afterFailure({ attemptsUsed, cancelRequested, retryPolicy }, failure, ending, 7_000, random);
        const ends = failure.nonRetryable || (maximumAttempts > 0 && attemptsUsed + 1 >= maximumAttempts);
        if (cancelRequested) expect(after).toEqual(closed("canceled"));
        else if (ends) expect(after).toEqual(closed(ending));
        else {
          if (after.next !== "scheduled") throw new Error("it has attempts left");
          expect(after.at).toBeGreaterThanOrEqual(7_500);
          expect(after.at).toBeLessThanOrEqual(107_000);
        }
      },
    );
    fc.assert(property, { numRuns: 300 });
  });
});

describe("what follows an attempt that was given back", () => {
  it.each([
    ["its old place", false, { next: "old-place" }],
    ["nothing, if its cancel was asked for", true, { next: "closed", state: "canceled" }],
  ] as const)("%s", (_name, cancelRequested, decision) => {
    expect(afterReturn({ cancelRequested })).toEqual(decision);
  });
});

describe("a closed task", () => {
  it.each([
    ["completed", false],
    ["failed", true],
    ["timed-out", true],
    ["canceled", false],
  ] as const)("is dead if it %s: %s", (state, dead) => {
    expect(isDead(state)).toBe(dead);
  });

  it("has an on-close task that is named after it and its run", () => {
    expect(onCloseTaskId("order/7", 2)).toBe("order/7/closed/2");
  });
});
