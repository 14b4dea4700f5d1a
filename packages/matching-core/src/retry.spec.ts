import { describe, expect, it } from "vitest";
import { backoffMs, decideRetry, defaultRetryPolicy } from "./retry.ts";

const policy = { ...defaultRetryPolicy("activity"), jitter: 0 };

describe("retries", () => {
  it.each([
    [1, 1_000],
    [2, 2_000],
    [3, 4_000],
    [7, 64_000],
    [8, 100_000],
    [5_000, 100_000],
  ])("the wait after failed attempt %i is %i ms", (failed, ms) => {
    expect(backoffMs(policy, failed, 0.9)).toBe(ms);
  });

  it("jitter only takes off, by its share at most", () => {
    expect(backoffMs({ ...policy, jitter: 0.1 }, 1, 0)).toBe(1_000);
    expect(backoffMs({ ...policy, jitter: 0.1 }, 1, 0.999999)).toBe(900);
    expect(backoffMs({ ...policy, jitter: 1 }, 1, 0.5)).toBe(500);
  });

  it.each([1, 1_024, 1_025, 100_000])("without a first wait there is none after %i attempts either", (failed) => {
    expect(backoffMs({ ...policy, initialIntervalMs: 0 }, failed, 0.5)).toBe(0);
  });

  it("a coefficient of 1 keeps the wait", () => {
    expect(backoffMs({ ...policy, backoffCoefficient: 1 }, 1_000_000, 0)).toBe(1_000);
  });

  const boom = { type: "Boom", nonRetryable: false };
  it.each([
    ["a first failure is retried", policy, 1, boom, { next: "retry", delayMs: 1_000 }],
    ["the last attempt closes", policy, 25, boom, { next: "close", why: "attempts-used-up" }],
    ["the last but one does not", policy, 24, boom, { next: "retry", delayMs: 100_000 }],
    ["0 attempts is no limit", { ...policy, maximumAttempts: 0 }, 1_000, boom, { next: "retry", delayMs: 100_000 }],
    [
      "one attempt is one attempt",
      { ...policy, maximumAttempts: 1 },
      1,
      boom,
      { next: "close", why: "attempts-used-up" },
    ],
    ["not retryable closes", policy, 1, { ...boom, nonRetryable: true }, { next: "close", why: "non-retryable" }],
    [
      "a type that is never retried closes",
      { ...policy, nonRetryableFailureTypes: ["Boom"] },
      1,
      boom,
      { next: "close", why: "non-retryable" },
    ],
    [
      "types are compared letter for letter",
      { ...policy, nonRetryableFailureTypes: ["boom"] },
      1,
      boom,
      { next: "retry", delayMs: 1_000 },
    ],
    ["a failure may name its wait", policy, 3, { ...boom, nextRetryDelayMs: 7 }, { next: "retry", delayMs: 7 }],
    ["even none", policy, 3, { ...boom, nextRetryDelayMs: 0 }, { next: "retry", delayMs: 0 }],
    ["but no attempt more", policy, 25, { ...boom, nextRetryDelayMs: 7 }, { next: "close", why: "attempts-used-up" }],
  ] as const)("%s", (_name, policyOf, used, failure, decision) => {
    expect(decideRetry(policyOf, used, failure, 0)).toEqual(decision);
  });

  it("activities have 25 attempts, workflow tasks no limit", () => {
    expect(defaultRetryPolicy("activity").maximumAttempts).toBe(25);
    expect(defaultRetryPolicy("workflow").maximumAttempts).toBe(0);
    expect(defaultRetryPolicy("activity")).toBe(defaultRetryPolicy("activity"));
  });
});
