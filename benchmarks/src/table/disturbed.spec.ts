import { expect, test } from "vitest";
import { disturbedRuns, type PlayedRun, stolenLines, theOneThatCounts } from "./disturbed.ts";
import type { MeasuredContender } from "./rounds.ts";

test("the less disturbed of two plays counts, whichever came first", () => {
  const [little, much]: PlayedRun<string>[] = [
    { result: "a", stolen: 0.06 },
    { result: "b", stolen: 0.2 },
  ];
  expect(theOneThatCounts(little!, much!)).toBe(little);
  expect(theOneThatCounts(much!, little!)).toBe(little);
});

test("one that failed counts only beside another that failed", () => {
  const [failed, good] = [
    { failure: "gone", stolen: 0.06 },
    { result: "b", stolen: 0.9 },
  ];
  expect(theOneThatCounts<string>(failed, good)).toBe(good);
  expect(theOneThatCounts<string>(good, failed)).toBe(good);
  expect(theOneThatCounts<string>({ failure: "before", stolen: 0.3 }, failed)).toBe(failed);
});

test("more than a twentieth disturbs, and the most disturbed come first", () => {
  const runs = [0.05, 0.06, undefined, 0.3, 0].map((stolen) => ({ played: { result: "", stolen } }));
  expect(disturbedRuns(runs)).toEqual([runs[3], runs[1]]);
});

test("it is told whose runs were played again, and whose are disturbed still", () => {
  const contender = (name: string, again: number, max?: number): MeasuredContender => {
    const stolen = max === undefined ? {} : { stolen: { median: 0.01, min: 0, max } };
    return { name, durability: "", isDurable: true, spreads: {}, failures: [], again, ...stolen };
  };
  expect(stolenLines([contender("tq", 0, 0.012), contender("NATS", 2, 0.04), contender("Redis", 1, 0.311)])).toEqual([
    "The host took 31.1 % of a run's processor time at most, of the runs that count.",
    "Played again, since it had taken more than 5.0 %: NATS (2), Redis (1). Disturbed still: Redis (31.1 %).",
  ]);
  expect(stolenLines([contender("tq", 0)])).toEqual([]);
});
