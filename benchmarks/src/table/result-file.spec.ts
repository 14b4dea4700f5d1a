import { expect, test } from "vitest";
import { whyNotKept } from "./result-file.ts";

const contender = (failures: string[]) => ({ name: "tq", durability: "", isDurable: true, spreads: {}, failures });

test("a result of three rounds is kept, one of two is not", () => {
  expect(whyNotKept({ rounds: 3, contenders: [contender([])] })).toBeUndefined();
  expect(whyNotKept({ rounds: 2, contenders: [contender([])] })).toBe(
    "2 rounds were played, of which 0 failed: a result is kept of 3 or more that did not",
  );
});

test("a run that failed is no round of its contender", () => {
  const contenders = [contender([]), contender(["it hung"])];
  expect(whyNotKept({ rounds: 4, contenders })).toBeUndefined();
  expect(whyNotKept({ rounds: 3, contenders })).toMatch(/^3 rounds were played, of which 1 failed/);
});
