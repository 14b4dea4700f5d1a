import { setTimeout as sleep } from "node:timers/promises";
import { Tally } from "../../table/tally.ts";
import { type BenchServer, benchType, withServer } from "../bench-server.ts";
import { type GrowthScenario, measureEach, scaledAll } from "../scenario.ts";

const queue = "delayed";
/** After so long at full scale they are given up: a million take over 90 s at 11,000 a second. */
const limitMsAtFullScale = 120_000;

/** Delayed tasks that are all due in one second, a worker that waits for them, and another queue that goes on beside. */
export const delayed: GrowthScenario = {
  name: "delayed",
  title: "Delayed tasks that are due in one second",
  xTitle: "tasks",
  series: [
    { key: "drain", title: "draining all of them, from when the first is due", unit: "tasks/s" },
    { key: "promoted", title: "becoming ready meanwhile, from when the first is due", unit: "tasks/s" },
    { key: "slowestMs", title: "slowest add to another queue meanwhile", unit: "ms" },
    { key: "memoryMiB", title: "server memory", unit: "MiB" },
  ],
  measure(options) {
    const limitMs = Math.max(30_000, limitMsAtFullScale * options.scale);
    return measureEach(scaledAll([10_000, 100_000, 1_000_000], options.scale), options, (count) =>
      withServer(options, (server) => measureDelayed(server, count, limitMs)),
    );
  },
  shortfalls: () => [],
};

async function measureDelayed(server: BenchServer, count: number, limitMs: number): Promise<Record<string, number>> {
  await server.configure(queue);
  await server.configure("beside");
  // Long enough to add them at 20,000 a second.
  const dueAt = performance.now() + 2_000 + count / 20;
  const addedRate = await server.add(
    queue,
    count,
    (index) => ({ startDelay: Math.max(1, dueAt - performance.now() + (index * 1_000) / count) }),
    { batch: 1_000 },
  );
  const tally = new Tally();
  // It polls before they are due: what it takes to begin is not what is asked for.
  const workers = await server.work(queue, {}, tally.handler);
  await sleep(Math.max(0, dueAt - performance.now()));
  const over = new AbortController();
  const adds = addBeside(server, over.signal);
  const drained = async () => {
    await tally.until(count, limitMs);
    const { handled } = tally;
    return { handled, drain: rateSince(dueAt, handled) };
  };
  const [{ drain, handled }, promoted] = await Promise.all([drained(), promotedRate(server, count, dueAt, limitMs)]);
  over.abort();
  const slowestMs = await adds;
  const memoryMiB = server.residentMiB();
  await workers.stop();
  return { drain, promoted, slowestMs, memoryMiB, addedRate, handled };
}

/** How many a second become ready, until none is scheduled any more. Looks every 50 ms, so it is late by as much at most. */
async function promotedRate(server: BenchServer, count: number, dueAt: number, limitMs: number): Promise<number> {
  for (;;) {
    const scheduled = Number((await server.describe(queue))?.counts?.scheduled ?? 0);
    if (scheduled === 0 || performance.now() - dueAt > limitMs) return rateSince(dueAt, count - scheduled);
    await sleep(50);
  }
}

/** Adds to another queue, one after the other, until told to stop. Answers how long the slowest took, in ms. */
async function addBeside({ client }: BenchServer, signal: AbortSignal): Promise<number> {
  let slowestMs = 0;
  while (!signal.aborted) {
    const sinceMs = performance.now();
    await client.tasks.add({ taskQueue: "beside", type: benchType, args: ["x".repeat(256)] });
    slowestMs = Math.max(slowestMs, performance.now() - sinceMs);
    await sleep(5);
  }
  return slowestMs;
}

function rateSince(sinceMs: number, tasks: number): number {
  return (1_000 * tasks) / (performance.now() - sinceMs);
}
