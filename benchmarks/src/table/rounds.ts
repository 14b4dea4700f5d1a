import type { Contender } from "../contenders/contender.ts";
import { calibrate } from "../machine/calibration.ts";
import type { Readings } from "./columns.ts";
import { runOnce, type RunOptions } from "./run-once.ts";
import { type Spread, spreadOf, type Spreads, spreadsOf } from "./statistics.ts";
import { hasTimeForAnother } from "./time-limit.ts";

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
 * Every contender in turn, and again for each round: what disturbs the machine for a while disturbs all alike. A run that
 * fails is told, and leaves the others to go on. No round is begun that would end too late, nor a run in it.
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
  const [roundsMs, runsMs]: [number[], number[]] = [[], []];
  const playRun = async (contender: Contender): Promise<void> => {
    const { name } = contender;
    const sinceMs = performance.now();
    calibrations.push(calibrate());
    try {
      listOf(readings, name).push(await runOnce(contender, options));
    } catch (error) {
      listOf(failures, name).push(error instanceof Error ? error.message : String(error));
    }
    runsMs.push(performance.now() - sinceMs);
    const took = `${seconds(sinceMs)} s, ${seconds(0)} s in all`;
    progress(`round ${roundsMs.length + 1} of ${rounds}: ${name}${failures.has(name) ? " (failed)" : ""}, ${took}`);
  };
  const playRound = async (): Promise<boolean> => {
    const sinceMs = performance.now();
    for (const contender of contenders) {
      if (!hasTimeForAnother(runsMs, performance.now())) return false;
      await playRun(contender);
    }
    roundsMs.push(performance.now() - sinceMs);
    return true;
  };
  let isWhole = true;
  while (isWhole && roundsMs.length < rounds && hasTimeForAnother(roundsMs, performance.now())) {
    isWhole = await playRound();
  }
  const calibration = spreadOf(calibrations);
  if (calibration === undefined) throw new Error("there is nothing to measure: no round, or no contender");
  const measured = contenders.map(({ name, durability, isDurable }) => {
    const spreads = spreadsOf(readings.get(name) ?? []);
    return { name, durability, isDurable, spreads, failures: failures.get(name) ?? [] };
  });
  return { rounds: roundsMs.length, seconds: performance.now() / 1_000, calibration, contenders: measured };
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
