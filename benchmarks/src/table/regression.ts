import { type Column, columns } from "./columns.ts";
import { timesBetter } from "./musts.ts";
import type { Comparable } from "./rounds.ts";
import { rounded } from "./rounded.ts";

/** A column that is worse than the kept result, by more than noise here explains. */
export interface Regression {
  readonly contender: string;
  readonly column: Column;
  readonly text: string;
}

/**
 * What has become worse since `kept`. Columns that depend on the machine are compared as ratios to the calibration loop of
 * their own run; bytes as they are.
 */
export function regressions(measured: Comparable, kept: Comparable): Regression[] {
  const machine = measured.calibration.median / kept.calibration.median;
  return kept.contenders.flatMap(({ name, spreads }) => {
    const now = measured.contenders.find((each) => each.name === name);
    if (now === undefined) return [];
    return (Object.keys(columns) as Column[]).flatMap((column): Regression[] => {
      const { title, unit, better, isCalibrated, tolerance, slack = 0 } = columns[column];
      const before = spreads[column]?.median;
      const after = now.spreads[column]?.median;
      if (before === undefined || after === undefined) return [];
      const factor = isCalibrated ? machine : 1;
      const expected = better === "higher" ? before * factor : before / factor;
      const times = timesBetter(column, after, expected);
      if (times >= 1 - tolerance || Math.abs(after - expected) <= slack) return [];
      const andSlack = slack === 0 ? "" : `, or ${slack} ${unit},`;
      const text =
        `${name}, ${title}: ${rounded(after)} ${unit}, ${Math.round(100 * (1 - times))} % worse than the kept result ` +
        `would be on this machine just now (${rounded(expected)}; ${Math.round(100 * tolerance)} %${andSlack} is noise)`;
      return [{ contender: name, column, text }];
    });
  });
}
