import { expect, test } from "vitest";
import type { Readings } from "./columns.ts";
import { regressions } from "./regression.ts";
import type { Comparable } from "./rounds.ts";
import { spreadsOf } from "./statistics.ts";

function measured(calibration: number, readings: Readings): Comparable {
  const spread = { median: calibration, min: calibration, max: calibration };
  const spreads = spreadsOf([readings]);
  return { calibration: spread, contenders: [{ name: "tq", durability: "", isDurable: true, spreads, failures: [] }] };
}

function fallen(now: Comparable, kept: Comparable): string[] {
  return regressions(now, kept).map(({ column }) => column);
}

const kept = measured(1_000, { bulkAdd: 100_000, idleMedianMs: 0.4, wireBytes: 700 });

test("a machine half as fast may be half as fast, but sends as much", () => {
  expect(fallen(measured(500, { bulkAdd: 50_000, idleMedianMs: 0.8, wireBytes: 700 }), kept)).toEqual([]);
  expect(fallen(measured(500, { bulkAdd: 50_000, idleMedianMs: 0.8, wireBytes: 1_400 }), kept)).toEqual(["wireBytes"]);
});

test("a column that fell by more than noise is named, with what was to be expected", () => {
  const [worse, ...others] = regressions(measured(1_000, { bulkAdd: 50_000, idleMedianMs: 0.4, wireBytes: 700 }), kept);
  expect(worse?.text).toMatch(/^tq, bulk add: 50,000 tasks\/s, 50 % worse .*\(100,000; /);
  expect(others).toEqual([]);
});

test("on a machine four times as fast, the same figures are a regression", () => {
  expect(fallen(measured(4_000, { bulkAdd: 100_000, idleMedianMs: 0.4, wireBytes: 700 }), kept)).toEqual([
    "bulkAdd",
    "idleMedianMs",
  ]);
});

test("a few bytes on disk more are noise, however few there were", () => {
  const kept = measured(1_000, { diskBytes: 5, writtenBytes: 5 });
  expect(fallen(measured(1_000, { diskBytes: 70, writtenBytes: 70 }), kept)).toEqual(["writtenBytes"]);
  const [worse] = regressions(measured(1_000, { diskBytes: 160 }), kept);
  expect(worse?.text).toMatch(/^tq, on disk: 160 .*\(5; 15 %, or 120 bytes per task, is noise\)$/);
});

test("what was not measured this time is no regression", () => {
  expect(fallen(measured(1_000, {}), kept)).toEqual([]);
});
