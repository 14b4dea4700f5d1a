import type { Contender } from "../contenders/contender.ts";
import { calibrate } from "../machine/calibration.ts";
import { processorTime, stolenSince } from "../machine/stolen.ts";
import type { Readings } from "./columns.ts";
import { runOnce, type RunOptions } from "./run-once.ts";
import { type Spread, spreadOf, type Spreads, spreadsOf } from "./statistics.ts";
import { hasTimeFor, hasTimeForAnother } from "./time-limit.ts";
import { type Played, undisturbed } from "./undisturbed.ts";

/** What results are compared by. */
export interface Comparable {
  /** Of the calibration loop, in batches a second. */
  readonly calibration: Spread;
  readonly contenders: readonly MeasuredContender[];
}

/** What some rounds came to. */
export interface Measured extends Comparable {
  /** How many were played to their end. */
  readonly rounds: number;
  /** How long all took, from the start of the program. */
  readonly seconds: number;
  /** Share of the processor time that the host took for others, of each run that counts. */
  readonly stolen: Spread;
  /** How many runs were played again since that was too much. */
  readonly again: number;
}

/** One contender's part. */
export interface MeasuredContender {
  readonly name: string;
  readonly durability: string;
  readonly isDurable: boolean;
  readonly spreads: Spreads;
  /** Why runs failed. Empty if none did. */
  readonly failures: readonly string[];
}

/**
 * Every contender in turn, and again for each round: what disturbs the machine for a while disturbs all alike, and a run
 * that the host disturbed is played again, if that leaves time for all. A run that fails is told, and leaves the others to go on. No round is begun that would end too late, nor a run in it.
 */
export async function playRounds(
  contenders: readonly Contender[],
  rounds: number,
  options: RunOptions,
  progress: (line: string) => void,
): Promise<Measured> {
  const readings = new Map<string, Readings[]>();
  const failures = new Map<string, string[]>();
  const calibrations: number[] = [];
  const stolen: number[] = [];
  let again = 0;
  const [roundsMs, runsMs]: [number[], number[]] = [[], []];
  const playOnce = async (contender: Contender): Promise<Played<Readings>> => {
    const { name } = contender;
    const sinceMs = performance.now();
    calibrations.push(calibrate());
    const before = processorTime();
    let result: Readings | undefined;
    try {
      result = await runOnce(contender, options);
    } catch (error) {
      listOf(failures, name).push(error instanceof Error ? error.message : String(error));
    }
    const share = stolenSince(before);
    runsMs.push(performance.now() - sinceMs);
    const said = [name, ...(result === undefined ? ["(failed)"] : [])].join(" ");
    const host = `the host took ${(100 * share).toFixed(1)} %`;
    progress(
      `round ${roundsMs.length + 1} of ${rounds}: ${said}, ${seconds(sinceMs)} s, ${host}, ${seconds(0)} s in all`,
    );
    return result === undefined ? { stolen: share } : { result, stolen: share };
  };
  const playRun = async (contender: Contender, left: number): Promise<void> => {
    const more = left + (rounds - roundsMs.length - 1) * contenders.length;
    const hasTime = (): boolean => hasTimeFor(more + 1, runsMs, performance.now());
    const [best, ...others] = await undisturbed(() => playOnce(contender), hasTime);
    again += others.length;
    stolen.push(best.stolen);
    if (best.result !== undefined) listOf(readings, contender.name).push(best.result);
  };
  const playRound = async (): Promise<boolean> => {
    const sinceMs = performance.now();
    for (const [index, contender] of contenders.entries()) {
      if (!hasTimeForAnother(runsMs, performance.now())) return false;
      await playRun(contender, contenders.length - index - 1);
    }
    roundsMs.push(performance.now() - sinceMs);
    return true;
  };
  let isWhole = true;
  while (isWhole && roundsMs.length < rounds && hasTimeForAnother(roundsMs, performance.now())) {
    isWhole = await playRound();
  }
  const [calibration, stolenSpread] = [spreadOf(calibrations), spreadOf(stolen)];
  if (calibration === undefined || stolenSpread === undefined)
    throw new Error("there is nothing to measure: no round, or no contender");
  const ofContenders = contenders.map(({ name, durability, isDurable }) => {
    const spreads = spreadsOf(readings.get(name) ?? []);
    return { name, durability, isDurable, spreads, failures: failures.get(name) ?? [] };
  });
  return {
    rounds: roundsMs.length,
    seconds: performance.now() / 1_000,
    calibration,
    stolen: stolenSpread,
    again,
    contenders: ofContenders,
  };
}

function listOf<T>(lists: Map<string, T[]>, name: string): T[] {
  const list = lists.get(name) ?? [];
  lists.set(name, list);
  return list;
}

/** Since then; 0 is the start of this process. */
function seconds(sinceMs: number): string {
  return ((performance.now() - sinceMs) / 1_000).toFixed(0);
}
