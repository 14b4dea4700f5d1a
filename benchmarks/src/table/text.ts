import { type Column, columns } from "./columns.ts";
import type { Spread, Spreads } from "./statistics.ts";

/** One contender's lines: each column with its median, smallest and largest. */
export function spreadLines(spreads: Spreads): string[] {
  return (Object.keys(columns) as Column[]).flatMap((column) => {
    const spread = spreads[column];
    if (spread === undefined) return [];
    const { title, unit } = columns[column];
    return [`  ${title.padEnd(24)} ${rounded(spread.median).padStart(10)} ${unit.padEnd(18)} ${range(spread)}`];
  });
}

/** Smallest and largest. */
export function range({ min, max }: Spread): string {
  return min === max ? "" : `(${rounded(min)} to ${rounded(max)})`;
}

/** Three significant digits, and thousands set apart. */
export function rounded(value: number): string {
  return Number(value.toPrecision(3)).toLocaleString("en", { maximumSignificantDigits: 3 });
}
