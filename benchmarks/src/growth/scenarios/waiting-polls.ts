import { readFileSync } from "node:fs";
import { Tally } from "../../table/tally.ts";
import { type BenchServer, benchType, withServer } from "../bench-server.ts";
import { type GrowthScenario, measureEach, scaledAll } from "../scenario.ts";
import { pollByHand, untilWaiting } from "./polls.ts";

/** Polls that wait, all of one process. */
export const waitingPolls: GrowthScenario = {
  name: "waiting-polls",
  title: "Many waiting polls",
  xTitle: "polls of one process waiting on one queue",
  series: [
    { key: "memoryPerPollKiB", title: "server memory for a poll", unit: "KiB" },
    { key: "firstMs", title: "from add to the first of them that gets the task", unit: "ms" },
    { key: "wakeAllMs", title: "from adding a task for each to the last that has one", unit: "ms" },
  ],
  measure(options) {
    const counts = scaledAll([1, 10, 100, 1_000, 10_000], options.scale).filter((count) => count <= connectionLimit());
    return measureEach(counts, options, (count) => withServer(options, (server) => measurePolls(server, count)));
  },
  shortfalls: () => [],
};

async function measurePolls(server: BenchServer, count: number): Promise<Record<string, number>> {
  const queue = "polls";
  await server.configure(queue);
  const before = server.residentMiB();
  const tally = new Tally();
  const pollers = Array.from({ length: count }, (_, index) =>
    pollByHand(server, queue, `worker-${index}`, { onTask: () => tally.handler("") }),
  );
  try {
    await untilWaiting(server, count);
    const memoryPerPollKiB = (1_024 * (server.residentMiB() - before)) / count;
    const firsts: number[] = [];
    for (let i = 0; i < 20; i++) {
      const sinceMs = performance.now();
      const given = tally.until(tally.handled + 1, 10_000);
      await server.client.tasks.add({ taskQueue: queue, type: benchType, args: ["x".repeat(256)] });
      await given;
      firsts.push(performance.now() - sinceMs);
      await untilWaiting(server, count);
    }
    const sinceMs = performance.now();
    const all = tally.until(tally.handled + count, 60_000);
    await server.add(queue, count);
    await all;
    const wakeAllMs = performance.now() - sinceMs;
    const firstMs = firsts.toSorted((a, b) => a - b)[10] ?? Number.NaN;
    return { memoryPerPollKiB, firstMs, wakeAllMs };
  } finally {
    await Promise.all(pollers.map((poller) => poller.stop()));
  }
}

/** How many connections a process may hold here (`ulimit -n`), less some files of its own. */
function connectionLimit(): number {
  if (process.platform !== "linux") return 200;
  const [, soft] = /Max open files\s+(\d+)/.exec(readFileSync("/proc/self/limits", "utf8")) ?? [];
  return Number(soft ?? Infinity) - 100;
}
