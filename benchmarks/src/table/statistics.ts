import { type Column, columns, type Readings } from "./columns.ts";

/** What several rounds came to. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** The spread of each column over several rounds. A column that no round has is left out. */
export type Spreads = Partial<Record<Column, Spread>>;

/** Over the rounds of one contender. */
export function spreadsOf(rounds: readonly Readings[]): Spreads {
  const spreads: Spreads = {};
  for (const column of Object.keys(columns) as Column[]) {
    const spread = spreadOf(rounds.flatMap((readings) => readings[column] ?? []));
    if (spread !== undefined) spreads[column] = spread;
  }
  return spreads;
}

/** Of some values; undefined if there are none. The median of an even number is the mean of the middle two. */
export function spreadOf(values: readonly number[]): Spread | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  const [min] = sorted;
  const max = sorted.at(-1);
  const low = sorted[Math.floor((sorted.length - 1) / 2)];
  const high = sorted[Math.floor(sorted.length / 2)];
  if (min === undefined || max === undefined || low === undefined || high === undefined) return undefined;
  return { median: (low + high) / 2, min, max };
}
