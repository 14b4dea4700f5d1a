import { setTimeout as sleep } from "node:timers/promises";
import { type BenchServer, benchType, withServer } from "../bench-server.ts";
import { type GrowthScenario, measureEach, scaledAll } from "../scenario.ts";

const queue = "delayed";

/** Delayed tasks that are all due in one second, and another queue that goes on beside. */
export const delayed: GrowthScenario = {
  name: "delayed",
  title: "Delayed tasks that are due in one second",
  xTitle: "tasks",
  series: [
    { key: "drain", title: "draining from when they are due", unit: "tasks/s" },
    { key: "slowestMs", title: "slowest add to another queue meanwhile", unit: "ms" },
    { key: "memoryMiB", title: "server memory", unit: "MiB" },
  ],
  measure(options) {
    return measureEach(scaledAll([10_000, 100_000, 1_000_000], options.scale), options, (count) =>
      withServer(options, (server) => measureDelayed(server, count)),
    );
  },
  shortfalls: () => [],
};

async function measureDelayed(server: BenchServer, count: number): Promise<Record<string, number>> {
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
  await sleep(Math.max(0, dueAt - performance.now()));
  const over = new AbortController();
  const adds = addBeside(server, over.signal);
  // As much of them as fits into some seconds tells the rate.
  const { perSecond } = await server.drain(queue, Math.min(count, 200_000), { limitMs: 30_000 });
  over.abort();
  return { drain: perSecond, slowestMs: await adds, memoryMiB: server.residentMiB(), addedRate };
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
