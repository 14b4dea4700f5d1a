import { type Column, columns } from "./columns.ts";
import type { MeasuredContender } from "./rounds.ts";
import { rounded } from "./rounded.ts";

/** Whom tq is to be compared with in a column: the best of all peers, the best durable one, or one by name. */
type Against = "every peer" | "every durable peer" | { readonly name: string };

/** How much better than these tq has to be. A factor of 1 says: better. */
interface Bar {
  readonly against: Against;
  readonly factor: number;
}

/** What a column has to reach, and what it aims at. */
interface Must {
  readonly column: Column;
  readonly must: Bar;
  readonly goal?: Bar;
}

const bullmqDurable = { name: "BullMQ (fsync always)" };
const nats = { name: "NATS JetStream" };

/** Ours, as the columns have it: completed tasks removed at once. */
const ourName = "tq";

const musts: readonly Must[] = [
  {
    column: "bulkAdd",
    must: { against: "every peer", factor: 1.5 },
    goal: { against: "every peer", factor: 2 },
  },
  { column: "drain", must: { against: "every durable peer", factor: 1.5 }, goal: { against: nats, factor: 1 } },
  {
    column: "addAndDrain",
    must: { against: "every peer", factor: 1.5 },
    goal: { against: "every peer", factor: 2 },
  },
  {
    column: "addOne",
    must: { against: "every durable peer", factor: 1 },
    goal: { against: "every peer", factor: 1 },
  },
  { column: "idleMedianMs", must: { against: bullmqDurable, factor: 1 }, goal: { against: nats, factor: 1 } },
  { column: "idleP99Ms", must: { against: bullmqDurable, factor: 1 }, goal: { against: nats, factor: 1 } },
  { column: "loadedP99Ms", must: { against: "every durable peer", factor: 1 } },
];

/** One bar, and how tq stands to it. */
export interface Verdict {
  readonly column: Column;
  readonly isGoal: boolean;
  /** Undefined: there is nobody to compare with, or nothing was measured. */
  readonly isReached: boolean | undefined;
  readonly text: string;
}

/** How tq stands to each must and goal. */
export function verdicts(contenders: readonly MeasuredContender[]): Verdict[] {
  return musts.flatMap(({ column, must, goal }) => [
    verdict(contenders, column, must, false),
    ...(goal === undefined ? [] : [verdict(contenders, column, goal, true)]),
  ]);
}

/** How many times better `ours` is than `theirs`: over 1 is better, whichever way the column goes. */
export function timesBetter(column: Column, ours: number, theirs: number): number {
  return columns[column].better === "higher" ? ours / theirs : theirs / ours;
}

function verdict(contenders: readonly MeasuredContender[], column: Column, bar: Bar, isGoal: boolean): Verdict {
  const ours = contenders.find(({ name }) => name === ourName)?.spreads[column]?.median;
  const best = bestPeer(contenders, column, bar.against);
  const asked = `${bar.factor === 1 ? "better than" : `${bar.factor} ×`} ${nameOf(bar.against)}`;
  const heading = `${isGoal ? "goal" : "must"}  ${columns[column].title}: ${asked}`;
  if (ours === undefined || best === undefined) {
    return { column, isGoal, isReached: undefined, text: `${heading}: not measured` };
  }
  const times = timesBetter(column, ours, best.value);
  const isReached = bar.factor === 1 ? times > 1 : times >= bar.factor;
  const { unit } = columns[column];
  const figures = `${rounded(ours)} to ${rounded(best.value)} ${unit} of ${best.name}, ${times.toFixed(2)} ×`;
  const missing = 100 * (1 - times / bar.factor);
  const short = isReached ? "reached" : `SHORT by ${missing < 1 ? "less than 1" : Math.round(missing)} %`;
  return { column, isGoal, isReached, text: `${heading}: ${short} (${figures})` };
}

function bestPeer(
  contenders: readonly MeasuredContender[],
  column: Column,
  against: Against,
): { name: string; value: number } | undefined {
  const sign = columns[column].better === "higher" ? -1 : 1;
  return contenders
    .filter(({ name, isDurable }) => {
      if (isOurs(name)) return false;
      if (typeof against === "object") return name === against.name;
      return against === "every peer" || isDurable;
    })
    .flatMap(({ name, spreads }) => {
      const value = spreads[column]?.median;
      return value === undefined ? [] : [{ name, value }];
    })
    .toSorted((a, b) => sign * (a.value - b.value))[0];
}

/** Whether the name is one of tq's, in whatever setting. */
export function isOurs(name: string): boolean {
  return name === ourName || name.startsWith(`${ourName} `);
}

function nameOf(against: Against): string {
  return typeof against === "object" ? against.name : against.replace("every", "the best");
}
