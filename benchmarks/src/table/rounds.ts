import type { Contender } from "../contenders/contender.ts";
import { calibrate } from "../machine/calibration.ts";
import type { Readings } from "./columns.ts";
import { runOnce, type RunOptions } from "./run-once.ts";
import { type Spread, spreadOf, type Spreads, spreadsOf } from "./statistics.ts";

/** What some rounds came to. */
export interface Measured {
  /** Of the calibration loop, in batches a second. */
  readonly calibration: Spread;
  readonly contenders: readonly MeasuredContender[];
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
 * fails is told, and leaves the others to go on.
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
  const sinceMs = performance.now();
  for (let round = 1; round <= rounds; round++) {
    for (const contender of contenders) {
      const { name } = contender;
      calibrations.push(calibrate());
      const runSinceMs = performance.now();
      try {
        listOf(readings, name).push(await runOnce(contender, options));
      } catch (error) {
        listOf(failures, name).push(error instanceof Error ? error.message : String(error));
      }
      const took = `${seconds(runSinceMs)} s, ${seconds(sinceMs)} s in all`;
      progress(`round ${round} of ${rounds}: ${name}${failures.has(name) ? " (failed)" : ""}, ${took}`);
    }
  }
  const calibration = spreadOf(calibrations);
  if (calibration === undefined) throw new Error("there is nothing to measure: no round, or no contender");
  const measured = contenders.map(({ name, durability, isDurable }) => {
    const spreads = spreadsOf(readings.get(name) ?? []);
    return { name, durability, isDurable, spreads, failures: failures.get(name) ?? [] };
  });
  return { calibration, contenders: measured };
}

function listOf<T>(lists: Map<string, T[]>, name: string): T[] {
  const list = lists.get(name) ?? [];
  lists.set(name, list);
  return list;
}

function seconds(sinceMs: number): string {
  return ((performance.now() - sinceMs) / 1_000).toFixed(0);
}
