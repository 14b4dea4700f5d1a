import { describe, expect, it } from "vitest";
import { afterFailure, afterReturn, isDead, onCloseTaskId } from "./closing.ts";
import { leaseUntilAfterStart } from "./lease.ts";
import { completedRetentionMs, deadRetentionMs, retentionMs } from "./retention.ts";
import { defaultRetryPolicy } from "./retry.ts";

const retryPolicy = { ...defaultRetryPolicy("activity"), jitter: 0, maximumAttempts: 2 };
const failure = { type: "Boom", nonRetryable: false };

describe("what follows an attempt", () => {
  it.each([
    ["a failure with attempts left is scheduled", 0, false, { next: "scheduled", at: 6_000 }],
    ["the last attempt's failure closes", 1, false, { next: "closed", state: "failed" }],
    ["after a cancel request it is never started again", 0, true, { next: "closed", state: "canceled" }],
  ] as const)("%s", (_name, attemptsUsed, cancelRequested, after) => {
    expect(afterFailure({ attemptsUsed, cancelRequested, retryPolicy }, failure, "failed", 5_000, 0)).toEqual(after);
  });

  it("the last attempt's timeout closes as timed out", () => {
    const task = { attemptsUsed: 1, cancelRequested: false, retryPolicy };
    expect(afterFailure(task, failure, "timed-out", 0, 0)).toEqual({ next: "closed", state: "timed-out" });
  });

  it("a return goes to its old place, unless its cancel was asked for", () => {
    expect(afterReturn({ cancelRequested: false })).toEqual({ next: "old-place" });
    expect(afterReturn({ cancelRequested: true })).toEqual({ next: "closed", state: "canceled" });
  });

  it("failed and timed out are dead, the others are not", () => {
    const states = ["completed", "failed", "timed-out", "canceled"] as const;
    expect(states.filter((state) => isDead(state))).toEqual(["failed", "timed-out"]);
  });

  it("the task that is added on close is named after the task and its run", () => {
    expect(onCloseTaskId("order/7", 2)).toBe("order/7/closed/2");
  });
});

describe("how long a closed task is kept", () => {
  it.each([
    ["completed", undefined, completedRetentionMs],
    ["canceled", undefined, completedRetentionMs],
    ["failed", undefined, deadRetentionMs],
    ["timed-out", undefined, deadRetentionMs],
    ["failed", 0, 0],
    ["completed", 5, 5],
  ] as const)("%s with %s of its own: %i ms", (state, own, ms) => {
    expect(retentionMs(state, own)).toBe(ms);
  });
});

describe("when a lease ends", () => {
  it("is at least one full length after a start", () => {
    expect([leaseUntilAfterStart(100, 30, 90), leaseUntilAfterStart(500, 30, 90)]).toEqual([120, 500]);
  });
});
