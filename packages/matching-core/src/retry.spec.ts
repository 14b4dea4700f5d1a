import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { backoffMs, decideRetry, defaultRetryPolicy, defaultStartToCloseMs } from "./retry.ts";

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

  it("an attempt of an activity may take an hour, one of a workflow task 10 s", () => {
    expect([defaultStartToCloseMs("activity"), defaultStartToCloseMs("workflow")]).toEqual([3_600_000, 10_000]);
  });

  const policies = fc.record({
    initialIntervalMs: fc.nat(100_000),
    backoffCoefficient: fc.double({ min: 1, max: 10, noNaN: true }),
    maximumIntervalMs: fc.nat(10_000_000),
    maximumAttempts: fc.nat(50),
    nonRetryableFailureTypes: fc.subarray(["Boom", "Bust"]),
    jitter: fc.double({ min: 0, max: 1, noNaN: true }),
  });
  const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

  it("waits grow, up to the longest, and jitter never takes off more than its share", () => {
    const property = fc.property(policies, fc.integer({ min: 1, max: 3_000 }), random, (of, failed, drawn) => {
      const full = backoffMs(of, failed, 0);
      expect(full).toBeLessThanOrEqual(of.maximumIntervalMs);
      expect(backoffMs(of, failed + 1, 0)).toBeGreaterThanOrEqual(full);
      const wait = backoffMs(of, failed, drawn);
      expect(wait).toBeLessThanOrEqual(full);
      expect(wait).toBeGreaterThanOrEqual(Math.floor(full * (1 - of.jitter)) - 1);
      expect(Number.isInteger(wait)).toBe(true);
    });
    fc.assert(property, { numRuns: 300 });
  });

  it("no task has more attempts than its policy allows, and one of a type that is never retried has one", () => {
    const property = fc.property(policies, fc.constantFrom("Boom", "Other"), random, (of, type, drawn) => {
      let attempts = 1;
      while (attempts < 60 && decideRetry(of, attempts, { type, nonRetryable: false }, drawn).next === "retry")
        attempts++;
      const allowed = of.maximumAttempts === 0 ? 60 : of.maximumAttempts;
      expect(attempts).toBe(of.nonRetryableFailureTypes.includes(type) ? 1 : allowed);
    });
    fc.assert(property, { numRuns: 300 });
  });
});
