import { ChurnMap } from "@tq/matching-core";
import fc from "fast-check";
import { expect, it } from "vitest";
import { changeIn, FewCounts } from "./few-counts.ts";

const changes = fc.array(fc.tuple(fc.constantFrom("a", "b", "c"), fc.integer({ min: -2, max: 2 })), { maxLength: 30 });

it("counts as a map does, and holds nothing of what is 0", () => {
  fc.assert(
    fc.property(changes, (steps) => {
      const counts = new FewCounts<string>();
      const all = new Map<string, number>();
      for (const [key, by] of steps) {
        counts.change(key, by);
        all.set(key, (all.get(key) ?? 0) + by);
        if (all.get(key) === 0) all.delete(key);
        expect(new Map(counts)).toEqual(all);
        expect(counts.isEmpty).toBe(all.size === 0);
        for (const one of ["a", "b", "c"]) expect(counts.get(one)).toBe(all.get(one) ?? 0);
      }
    }),
  );
});

it("lets go of one of many that has no counts left", () => {
  const all = new ChurnMap<number, FewCounts<string>>();
  changeIn(all, 1, "a", 1);
  changeIn(all, 1, "b", 1);
  changeIn(all, 2, "a", 1);
  changeIn(all, 1, "a", -1);
  expect([...all.keys()]).toEqual([1, 2]);
  changeIn(all, 1, "b", -1);
  expect([...all.keys()]).toEqual([2]);
});
