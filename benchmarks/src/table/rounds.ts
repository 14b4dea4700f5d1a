import type { Contender } from "../contenders/contender.ts";
import { calibrate } from "../machine/calibration.ts";
import { type ProcessorTime, processorTime, stolenShare } from "../machine/stolen.ts";
import type { Readings } from "./columns.ts";
import { disturbedRuns, percent, type PlayedRun, theOneThatCounts } from "./disturbed.ts";
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
  /** Share of a run's processor time that the host took for others. Unset where the machine cannot tell. */
  readonly stolen?: Spread;
  /** How many of its runs were played again since that was too much. Default 0. */
  readonly again?: number;
}

/** What is to be played, and with what. */
export interface RoundsOptions {
  readonly rounds: number;
  /** One run of a contender: what it measured. */
  readonly run: (contender: Contender) => Promise<Readings>;
  /** Whether what the host disturbed is played again. Default: yes. */
  readonly playsAgain?: boolean;
  /** Told of each run. */
  readonly progress: (line: string) => void;
  /** What is read of the machine. Default: this one. */
  readonly machine?: BenchMachine;
}

/** What is read of the machine beside the runs. */
export interface BenchMachine {
  /** Since the start of the program. */
  nowMs(): number;
  /** In batches a second. */
  calibrate(): number;
  processorTime(): ProcessorTime | undefined;
}

const thisMachine: BenchMachine = { nowMs: () => performance.now(), calibrate: () => calibrate(), processorTime };

interface Run {
  readonly contender: Contender;
  played: PlayedRun<Readings>;
  again: boolean;
}

/**
 * Every contender in turn, and again for each round: what disturbs the machine for a while disturbs all alike. After that the
 * runs that the host disturbed are played once more, the most disturbed first, while there is time. A run that fails is told,
 * and leaves the others to go on. No round is begun that would end too late, nor a run.
 */
export async function playRounds(
  contenders: readonly Contender[],
  { rounds, run, playsAgain = true, progress, machine = thisMachine }: RoundsOptions,
): Promise<Measured> {
  const runs: Run[] = [];
  const calibrations: number[] = [];
  const [roundsMs, runsMs]: [number[], number[]] = [[], []];
  const hasTime = (tookMs: readonly number[]): boolean => hasTimeForAnother(tookMs, machine.nowMs());
  const play = async (contender: Contender, which: string): Promise<PlayedRun<Readings>> => {
    const sinceMs = machine.nowMs();
    calibrations.push(machine.calibrate());
    const before = machine.processorTime();
    const came = await outcomeOf(run(contender));
    const stolen = stolenShare(before, machine.processorTime());
    const nowMs = machine.nowMs();
    runsMs.push(nowMs - sinceMs);
    const failed = came.failure === undefined ? "" : " (failed)";
    const host = stolen === undefined ? "" : `, the host took ${percent(stolen)}`;
    const took = `${seconds(nowMs - sinceMs)} s, ${seconds(nowMs)} s in all`;
    progress(`${which}: ${contender.name}${failed}, ${took}${host}`);
    return { ...came, stolen };
  };
  const playRound = async (): Promise<boolean> => {
    const sinceMs = machine.nowMs();
    for (const contender of contenders) {
      if (!hasTime(runsMs)) return false;
      const played = await play(contender, `round ${roundsMs.length + 1} of ${rounds}`);
      runs.push({ contender, played, again: false });
    }
    roundsMs.push(machine.nowMs() - sinceMs);
    return true;
  };
  let isWhole = true;
  while (isWhole && roundsMs.length < rounds && hasTime(roundsMs)) isWhole = await playRound();
  for (const disturbed of playsAgain ? disturbedRuns(runs) : []) {
    if (!hasTime(runsMs)) break;
    disturbed.played = theOneThatCounts(disturbed.played, await play(disturbed.contender, "again"));
    disturbed.again = true;
  }
  const calibration = spreadOf(calibrations);
  if (calibration === undefined) throw new Error("there is nothing to measure: no round, or no contender");
  const measured = contenders.map((contender) => measuredOf(contender, runs));
  return { rounds: roundsMs.length, seconds: machine.nowMs() / 1_000, calibration, contenders: measured };
}

function measuredOf(contender: Contender, allRuns: readonly Run[]): MeasuredContender {
  const { name, durability, isDurable } = contender;
  const runs = allRuns.filter((run) => run.contender === contender);
  const spreads = spreadsOf(runs.flatMap(({ played }) => played.result ?? []));
  const failures = runs.flatMap(({ played }) => played.failure ?? []);
  const stolen = spreadOf(runs.flatMap(({ played }) => played.stolen ?? []));
  const again = runs.filter((run) => run.again).length;
  return { name, durability, isDurable, spreads, failures, ...(stolen !== undefined && { stolen }), again };
}

async function outcomeOf(running: Promise<Readings>): Promise<PlayedRun<Readings>> {
  try {
    return { result: await running };
  } catch (error) {
    return { failure: error instanceof Error ? error.message : String(error) };
  }
}

function seconds(ms: number): string {
  return (ms / 1_000).toFixed(0);
}
