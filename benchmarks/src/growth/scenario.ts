import { spreadOf } from "../table/statistics.ts";
import type { LineSeries } from "./plot.ts";

/** What was measured at one point of a scenario. */
export interface Point {
  /** Where on the x axis, such as `1,000` or `missing type`. */
  readonly x: string;
  /** By the key of a series. */
  readonly values: Readonly<Record<string, number>>;
}

/** How much of a scenario is played. */
export interface GrowthOptions {
  /** Share of the full size, over 0 to 1. */
  readonly scale: number;
  /** How long the scenario of churn goes on at least, in minutes. */
  readonly churnMinutes: number;
  /** By when a scenario that goes on for as long as it may has to be over, in ms from its beginning. */
  readonly limitMs: number;
  /** How many points of an axis of numbers are measured, from the first. Infinity: all. */
  readonly mostPoints: number;
  /** Told of each point as it is measured. */
  readonly progress: (point: Point) => void;
}

/** One way in which cost might grow. */
export interface GrowthScenario {
  readonly name: string;
  readonly title: string;
  readonly xTitle: string;
  readonly series: readonly LineSeries[];
  /** Plays it on new servers; answers its points in order. */
  measure(this: void, options: GrowthOptions): Promise<Point[]>;
  /** What is short of what is asked of it at a scale, in words. */
  shortfalls(this: void, points: readonly Point[], scale: number): string[];
  /** Whether it goes on for a time, not until it is done. Default: no. */
  readonly isTimed?: boolean;
}

/** Measures each x with its own call; tells of each. */
export async function measureEach<X extends number | string>(
  xs: readonly X[],
  { progress, mostPoints }: GrowthOptions,
  measure: (x: X) => Promise<Readonly<Record<string, number>>>,
): Promise<Point[]> {
  const points: Point[] = [];
  for (const x of xs.slice(0, mostPoints)) points.push(pointOf(x, await measure(x), progress));
  return points;
}

/**
 * Measures each x in each of some rounds, one round after the other, so that what drifts on the machine drifts over all of
 * them alike. A point has the medians, and is told of in the last round.
 */
export async function measureInRounds<X extends number | string>(
  rounds: number,
  xs: readonly X[],
  options: GrowthOptions,
  measure: (x: X) => Promise<Readonly<Record<string, number>>>,
): Promise<Point[]> {
  const earlier = new Map<X, Point["values"][]>();
  const silently = { ...options, progress: () => undefined };
  for (let i = 1; i < rounds; i++) {
    await measureEach(xs, silently, async (x) => {
      const values = await measure(x);
      earlier.set(x, [...(earlier.get(x) ?? []), values]);
      return values;
    });
  }
  return measureEach(xs, options, async (x) => {
    const values = await measure(x);
    return mediansOf([...(earlier.get(x) ?? []), values]);
  });
}

/** The middle of some values. NaN if there are none. */
export function medianOf(values: readonly number[]): number {
  return spreadOf(values)?.median ?? Number.NaN;
}

/** The middle of each value over what was measured some times. */
export function mediansOf<Key extends string>(measured: readonly Readonly<Record<Key, number>>[]): Record<Key, number> {
  const keys = Object.keys(measured[0] ?? {}) as Key[];
  const medians = keys.map((key) => [key, medianOf(measured.map((each) => each[key]))] as const);
  return Object.fromEntries(medians) as Record<Key, number>;
}

/** A point, which is told of. */
export function pointOf(
  x: number | string,
  values: Readonly<Record<string, number>>,
  progress: GrowthOptions["progress"],
): Point {
  const point = { x: typeof x === "number" ? x.toLocaleString("en") : x, values };
  progress(point);
  return point;
}

/** A point in one line. */
export function figuresText({ x, values }: Point): string {
  return `${x}: ${Object.entries(values)
    .map(([key, value]) => `${key} ${Number(value.toPrecision(4))}`)
    .join(", ")}`;
}

/** A number of tasks at a scale, at least 100. */
export function scaled(count: number, scale: number): number {
  return Math.max(100, Math.round(count * scale));
}

/** The numbers of a list at a scale, without those that come to the same. */
export function scaledAll(counts: readonly number[], scale: number): number[] {
  return [...new Set(counts.map((count) => Math.max(1, Math.round(count * scale))))];
}

/** A value of each point that has it. */
export function valuesOf(points: readonly Point[], key: string): number[] {
  return points.flatMap(({ values }) => values[key] ?? []);
}

/**
 * Says so of each point at which a series is less than this share of what was measured beside: `add` of `addBeside`.
 *
 * @param where what the points' x is, such as "with 1,000 waiting"
 */
export function unlessNearBeside(
  points: readonly Point[],
  key: string,
  share: number,
  where: (x: string) => string,
): string[] {
  return points.flatMap(({ x, values }) => {
    const found = (values[key] ?? Number.NaN) / (values[`${key}Beside`] ?? Number.NaN);
    const [percent, asked] = [found, share].map((one) => `${Math.round(100 * one)} %`);
    return found < share ? [`${key} ${where(x)}: ${percent} of the rate beside, ${asked} asked`] : [];
  });
}

/** Says so if the smallest of a series is less than this share of the largest. */
export function unlessWithin(points: readonly Point[], key: string, share: number): string[] {
  const values = valuesOf(points, key);
  const least = Math.min(...values) / Math.max(...values);
  return least >= share
    ? []
    : [`${key}: the slowest point has ${Math.round(100 * least)} % of the fastest, ${Math.round(100 * share)} % asked`];
}
