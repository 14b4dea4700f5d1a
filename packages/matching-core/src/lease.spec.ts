import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { defaultLeaseMs, freeReturns, leaseUntilAfterStart, maxLeaseMs, minLeaseMs } from "./lease.ts";

describe("a lease", () => {
  it("takes 30 s unless the poll says otherwise: 1 s to 12 h", () => {
    expect([defaultLeaseMs, minLeaseMs, maxLeaseMs]).toEqual([30_000, 1_000, 43_200_000]);
  });

  it("may come back unconfirmed three times for nothing", () => {
    expect(freeReturns).toBe(3);
  });

  // [stored end, length, now: the start] → its end
  it.each([
    [100, 30, 90, 120],
    [120, 30, 90, 120],
    [500, 30, 90, 500],
    // The server was away for longer than the lease.
    [100, 30, 1_000, 1_030],
  ])("that ends at %i and is %i ms long goes on after a start at %i until %i", (stored, leaseMs, now, until) => {
    expect(leaseUntilAfterStart(stored, leaseMs, now)).toBe(until);
  });

  it("never ends before one full length has passed since the start, nor before it did", () => {
    const property = fc.property(fc.nat(), fc.nat(maxLeaseMs), fc.nat(), (stored, leaseMs, now) => {
      const until = leaseUntilAfterStart(stored, leaseMs, now);
      expect(until - now).toBeGreaterThanOrEqual(leaseMs);
      expect(until).toBeGreaterThanOrEqual(stored);
      // A second start at once gives nothing more.
      expect(leaseUntilAfterStart(until, leaseMs, now)).toBe(until);
    });
    fc.assert(property);
  });
});
