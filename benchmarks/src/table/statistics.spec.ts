import { expect, test } from "vitest";
import { spreadOf, spreadsOf } from "./statistics.ts";

test("the median of an odd and of an even number", () => {
  expect(spreadOf([3, 1, 2])).toEqual({ median: 2, min: 1, max: 3 });
  expect(spreadOf([4, 1, 2, 3])).toEqual({ median: 2.5, min: 1, max: 4 });
  expect(spreadOf([])).toBeUndefined();
});

test("a column counts over the rounds that have it", () => {
  expect(spreadsOf([{ drain: 1 }, { drain: 3, addOne: 7 }, {}])).toEqual({
    drain: { median: 2, min: 1, max: 3 },
    addOne: { median: 7, min: 7, max: 7 },
  });
});
