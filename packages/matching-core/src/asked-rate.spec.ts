import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AskedRates } from "./asked-rate.ts";

describe("asked rates", () => {
  it("the smallest counts, and says when it becomes another one", () => {
    const rates = new AskedRates<string>();
    expect([rates.smallest, rates.set("a", undefined)]).toEqual([undefined, false]);
    expect([rates.set("a", 5), rates.smallest]).toEqual([true, 5]);
    expect([rates.set("b", 9), rates.smallest]).toEqual([false, 5]);
    expect([rates.set("c", 5), rates.smallest]).toEqual([false, 5]);
    expect([rates.set("a", undefined), rates.smallest]).toEqual([false, 5]);
    expect([rates.set("c", 20), rates.smallest]).toEqual([true, 9]);
    expect([rates.set("b", undefined), rates.smallest]).toEqual([true, 20]);
    expect([rates.set("c", undefined), rates.smallest]).toEqual([true, undefined]);
  });

  it("agrees with looking at all of them", () => {
    const step = fc.tuple(fc.nat(5), fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined }));
    const property = fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const rates = new AskedRates<number>();
      const plain = new Map<number, number>();
      for (const [asker, rate] of steps) {
        const before = rates.smallest;
        const changed = rates.set(asker, rate);
        if (rate === undefined) plain.delete(asker);
        else plain.set(asker, rate);
        const smallest = plain.size === 0 ? undefined : Math.min(...plain.values());
        expect([rates.smallest, changed]).toEqual([smallest, smallest !== before]);
      }
    });
    fc.assert(property, { numRuns: 300 });
  });
});
