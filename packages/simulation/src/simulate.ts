/* One run: from a seed to what happened, and what was wrong with it. */
import { checkHistory } from "./check/index.ts";
import { noFaults } from "./network.ts";
import { refusal } from "./recording-store.ts";
import { checkState, everyTask, isOpen } from "./state-check.ts";
import { steps } from "./steps.ts";
import type { History } from "./history.ts";
import type { Machine } from "./server-process.ts";
import { World } from "./world.ts";

/** How to run. */
export interface SimulationOptions {
  readonly seed: number;
  /** How many things happen before everything is brought to its end. */
  readonly steps: number;
  /** Puts a defect between the server and its store, to see whether it is noticed. */
  readonly breakStore?: Machine["breakStore"];
}

/** What came of a run. */
export interface SimulationResult {
  readonly seed: number;
  readonly history: History;
  /** What was wrong; empty: nothing. */
  readonly violations: readonly string[];
}

/** At the end, everything has so long to come to its end: longer than any delay, back-off and lease. */
const endingRounds = 120;
const endingRoundMs = 30_000;
/** With nothing open after so many rounds in a row, nothing more comes. */
const quietRounds = 2;

/** Plays a world from its seed, and looks at what happened. */
export async function simulate(options: SimulationOptions): Promise<SimulationResult> {
  const { seed, breakStore = (store) => store } = options;
  const world = new World(seed, breakStore);
  const { history } = world;
  try {
    await world.begin();
    const violations = (await play(world, options.steps)) ?? (await finish(world));
    return { seed, history, violations: violations.length > 0 ? violations : checkHistory(history) };
  } finally {
    world.dispose();
  }
}

/** Plays so many steps. Answers what was wrong after one; undefined: nothing. */
async function play(world: World, count: number): Promise<string[] | undefined> {
  const choices = steps.map((step) => ({ item: step, weight: step.weight }));
  for (let step = 1; step <= count; step++) {
    const { name, run } = world.random.weighted(choices);
    world.record({ kind: "step", step, action: name, elapsed: world.clock.elapsed });
    await run(world);
    await world.clock.settle();
    const wrong = await look(world);
    if (wrong.length > 0) return wrong;
    // Clients may talk to nobody for a while, or to a server that was replaced.
    if (world.random.chance(0.5)) await world.bringUp();
  }
  return undefined;
}

/** Lets everything come to its end, with a network and workers that work. Answers what did not. */
async function finish(world: World): Promise<string[]> {
  world.tell("everything comes to its end");
  world.network.faults = noFaults;
  await world.bringUp();
  world.workers.dismiss();
  world.repeater.repeatLost();
  await world.clock.settle();
  world.operators.undo();
  await world.clock.settle();
  for (let round = 0, quiet = 0; round < endingRounds; round++) {
    // Something may still go wrong that was to go wrong in the next commit.
    world.repeater.repeatLost();
    void world.workers.workThrough();
    await world.clock.settle();
    const wrong = await look(world);
    if (wrong.length > 0) return wrong;
    const { server } = world;
    if (server === undefined) {
      await world.bringUp();
      continue;
    }
    quiet = (await everyTask(server)).some(isOpen) ? 0 : quiet + 1;
    if (quiet === quietRounds) return [];
    await world.clock.advance(round % 2 === 0 ? 0 : endingRoundMs);
  }
  const left = world.server === undefined ? [] : (await everyTask(world.server)).filter(isOpen);
  return left.map(({ id, run }) => `ending: ${id}#${run} does not come to its end`);
}

/** What is wrong just now. */
async function look(world: World): Promise<string[]> {
  const defects = world.processes.flatMap(({ errors }) => errors.splice(0)).filter((error) => !isExpected(error));
  const { server } = world;
  if (defects.length > 0) return defects.map((error) => `errors: ${error}`);
  if (server === undefined || !world.takeChanged()) return [];
  try {
    await checkState(server);
    return [];
  } catch (error) {
    return [`state: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`];
  }
}

/** A server that was replaced is to say so, and one whose disk refuses. */
function isExpected(error: string): boolean {
  return error.includes("another server has taken this store over") || error.includes(refusal);
}
