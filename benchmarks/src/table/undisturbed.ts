import type { Spread } from "./statistics.ts";

/** A run is disturbed, and played again, if the host took more than this share of the processor time that it asked for. */
export const mostStolen = 0.05;
/** A host that takes so much again and again is what there is to measure on. */
const mostPlays = 2;

/** What a run came to, and how far the host let it. */
export interface Played<T> {
  /** Unset if it failed. */
  readonly result?: T;
  /** Share of the processor time that the host took for others meanwhile. */
  readonly stolen: number;
}

/**
 * Plays a run, and once more if it was disturbed, by what the host did alone, whoever ran and whatever came of it. Answers
 * all plays, the one that counts first: the least disturbed of those that did not fail.
 */
export async function undisturbed<T>(
  play: () => Promise<Played<T>>,
  hasTime: () => boolean,
): Promise<readonly [Played<T>, ...Played<T>[]]> {
  const plays: [Played<T>, ...Played<T>[]] = [await play()];
  while (plays.every(({ stolen }) => stolen > mostStolen) && plays.length < mostPlays && hasTime()) {
    plays.push(await play());
  }
  return plays.sort((a, b) => failed(a) - failed(b) || a.stolen - b.stolen);
}

/** What the host took of the runs that count, and how often that was tried again. */
export function stolenLine({ stolen, again }: { stolen: Spread; again: number }): string {
  const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
  return (
    `The host took ${percent(stolen.median)} of a run's processor time (${percent(stolen.max)} at most) for others; ` +
    `runs that were played again, since it had taken more than ${percent(mostStolen)}: ${again}.`
  );
}

function failed({ result }: Played<unknown>): number {
  return result === undefined ? 1 : 0;
}
