import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { before, isLight, lightStrides, placePass, stride } from "./fairness.ts";

/** Dispatches `n` tasks of keys that never run out, the lowest pass first. Answers how many each got. */
function dispatch(weights: readonly number[], n: number): number[] {
  const passes = weights.map(() => 0);
  const got = weights.map(() => 0);
  let virtualTime = 0;
  for (let i = 0; i < n; i++) {
    const key = passes.indexOf(Math.min(...passes));
    virtualTime = placePass(virtualTime, passes[key] ?? 0);
    passes[key] = virtualTime + stride(weights[key] ?? 1);
    got[key] = (got[key] ?? 0) + 1;
  }
  return got;
}

describe("fairness", () => {
  it("keys share by their weights", () => {
    expect(dispatch([1, 1, 2], 400)).toEqual([100, 100, 200]);
  });

  it("no key is ever more than a turn away from its share", () => {
    const weights = fc.array(fc.integer({ min: 1, max: 10 }), { minLength: 2, maxLength: 5 });
    const property = fc.property(weights, fc.integer({ min: 1, max: 300 }), (of, n) => {
      const total = of.reduce((sum, weight) => sum + weight, 0);
      dispatch(of, n).forEach((got, key) => {
        expect(Math.abs(got - (n * (of[key] ?? 0)) / total)).toBeLessThanOrEqual(of.length);
      });
    });
    fc.assert(property, { numRuns: 200 });
  });

  it("a key that comes back begins at the present: no debt, no credit", () => {
    expect(placePass(50, 0)).toBe(50);
    expect(placePass(50, 80)).toBe(80);
  });

  it("a key is heavy once so many of its tasks are ahead, whatever its weight", () => {
    for (const weight of [0.001, 1, 1_000]) {
      expect(isLight(10 + (lightStrides - 1) * stride(weight), 10, weight)).toBe(true);
      expect(isLight(10 + (lightStrides + 1) * stride(weight), 10, weight)).toBe(false);
    }
  });

  it("of two places the lower pass goes first, then the earlier place", () => {
    expect(before({ pass: 1, place: 9 }, { pass: 2, place: 1 })).toBe(true);
    expect(before({ pass: 1, place: 1 }, { pass: 1, place: 2 })).toBe(true);
    expect(before({ pass: 1, place: 1 }, { pass: 1, place: 1 })).toBe(false);
  });
});
