import type { MeasuredContender } from "./rounds.ts";

/**
 * A run is disturbed if the host took more than this share of the processor time that it asked for. In a quiet hour of the
 * machines that were measured it takes less than 1 %; where it took more than 5, latencies were seen to double.
 */
export const disturbingShare = 0.05;

/** What became of a run. */
export interface PlayedRun<T> {
  /** Unset if it failed. */
  readonly result?: T;
  /** Why it failed. */
  readonly failure?: string;
  /** Share of the processor time that the host took for others meanwhile. Unset where the machine cannot tell. */
  readonly stolen?: number | undefined;
}

/** Which of two plays of one run counts: the one that did not fail, or else the less disturbed. */
export function theOneThatCounts<T>(first: PlayedRun<T>, second: PlayedRun<T>): PlayedRun<T> {
  if ((first.failure === undefined) !== (second.failure === undefined)) {
    return first.failure === undefined ? first : second;
  }
  return (second.stolen ?? 0) < (first.stolen ?? 0) ? second : first;
}

/** What is to be played again: the disturbed ones, the most disturbed first, whose they are and what came of them aside. */
export function disturbedRuns<R extends { readonly played: PlayedRun<unknown> }>(runs: readonly R[]): R[] {
  const stolen = (run: R): number => run.played.stolen ?? 0;
  return runs.filter((run) => stolen(run) > disturbingShare).toSorted((a, b) => stolen(b) - stolen(a));
}

/** A share as a text: 0.0512 is `5.1 %`. */
export function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

/** What the host took of the runs that count, and whose were disturbed. Empty where the machine cannot tell. */
export function stolenLines(contenders: readonly MeasuredContender[]): string[] {
  const told = contenders.flatMap(({ name, stolen, again = 0 }) =>
    stolen === undefined ? [] : [{ name, stolen, again }],
  );
  if (told.length === 0) return [];
  const most = Math.max(...told.map(({ stolen }) => stolen.max));
  const again = told.filter(({ again }) => again > 0).map(({ name, again }) => `${name} (${again})`);
  const still = told
    .filter(({ stolen }) => stolen.max > disturbingShare)
    .map(({ name, stolen }) => `${name} (${percent(stolen.max)})`);
  const list = (names: readonly string[]): string => (names.length === 0 ? "none" : names.join(", "));
  return [
    `The host took ${percent(most)} of a run's processor time at most, of the runs that count.`,
    `Played again, since it had taken more than ${percent(disturbingShare)}: ${list(again)}. Disturbed still: ${list(still)}.`,
  ];
}
