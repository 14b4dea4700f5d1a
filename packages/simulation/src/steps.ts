/* What can happen next, and how likely it is. */
import type { World } from "./world.ts";

/** One thing that can happen. */
export interface Step {
  readonly name: string;
  readonly weight: number;
  readonly run: (world: World) => void | Promise<void>;
}

const minute = 60_000;

/** How far a step may move the clock. */
const strides = [
  { item: { from: 1, to: 100 }, weight: 6 },
  { item: { from: 100, to: 2_000 }, weight: 8 },
  { item: { from: 2_000, to: 15_000 }, weight: 6 },
  { item: { from: 15_000, to: minute }, weight: 2 },
  { item: { from: minute, to: 15 * minute }, weight: 0.3 },
];

/** Everything that can happen in a run. */
export const steps: readonly Step[] = [
  {
    name: "time passes",
    weight: 20,
    run: async ({ clock, random }) => {
      const { from, to } = random.weighted(strides);
      await clock.advance(random.int(from, to));
    },
  },
  { name: "add", weight: 14, run: ({ producers, hasEnough }) => (hasEnough ? undefined : producers.add()) },
  { name: "cancel", weight: 3, run: ({ producers }) => producers.cancel() },
  { name: "repeat calls", weight: 6, run: ({ repeater }) => repeater.repeat() },
  { name: "a worker comes", weight: 3, run: ({ workers }) => workers.hire() },
  { name: "a worker polls", weight: 24, run: ({ workers }) => workers.poll() },
  { name: "a poll breaks", weight: 4, run: ({ workers }) => workers.breakPoll() },
  { name: "a worker answers", weight: 18, run: ({ workers }) => workers.respond() },
  { name: "a worker answers late", weight: 5, run: ({ workers }) => workers.answerLate() },
  { name: "a worker renews", weight: 7, run: ({ workers }) => workers.renew() },
  { name: "a broken connection is noticed", weight: 4, run: ({ network }) => network.notice() },
  { name: "a new version rolls out", weight: 1, run: ({ workers }) => workers.rollOut() },
  { name: "a worker vanishes", weight: 2, run: ({ workers }) => workers.vanish() },
  { name: "a worker shuts down", weight: 1, run: ({ workers }) => workers.shutDown() },
  { name: "an operator sets limits", weight: 4, run: ({ operators }) => operators.configure() },
  { name: "an operator pauses", weight: 1, run: ({ operators }) => operators.pause() },
  { name: "an operator drains", weight: 0.5, run: ({ operators }) => operators.drain() },
  { name: "an operator resumes", weight: 2, run: ({ operators }) => operators.resume() },
  { name: "an operator deletes a queue", weight: 0.4, run: ({ operators }) => operators.delete() },
  { name: "an operator purges", weight: 0.5, run: ({ operators }) => operators.purge() },
  { name: "an operator moves tasks", weight: 1, run: ({ operators }) => operators.move() },
  { name: "an operator redrives", weight: 1, run: ({ operators }) => operators.redrive() },
  {
    name: "an operator drains a worker",
    weight: 0.4,
    run: ({ operators, workers }) => {
      const worker = workers.someWorker();
      if (worker !== undefined) operators.drainWorker(worker);
    },
  },
  { name: "an operator releases", weight: 1, run: ({ operators }) => operators.release() },
  {
    name: "a crash in the next commit",
    weight: 2.5,
    run: (world) => world.failNextCommit(world.random.pick(["dies before", "dies after"])),
  },
  { name: "the disk refuses the next commit", weight: 1, run: (world) => world.failNextCommit("is refused") },
  { name: "a crash", weight: 1, run: (world) => world.crash() },
  { name: "a restart", weight: 1, run: async (world) => world.restart() },
  { name: "a take-over", weight: 1, run: async (world) => world.takeOver() },
  {
    name: "the wall clock jumps",
    weight: 1,
    run: ({ clock, random }) => clock.jump(random.pick([-1, 1]) * random.int(1, 120 * minute)),
  },
];
