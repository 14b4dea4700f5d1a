import { setTimeout as sleep } from "node:timers/promises";
import { type BenchServer, withServer } from "../bench-server.ts";
import { type GrowthScenario, type Point, pointOf, scaled, scaledAll, valuesOf } from "../scenario.ts";

/** What a server has to forget that was used: it keeps the rates of the last 30 s. */
const forgottenAfterMs = 40_000;
const measuredMs = 10_000;
const asked = { memoryMiB: 50, cpuUs: 5_000 };

/** Queues in which a task waits and nothing happens: always as many more, on one server, which then is left alone. */
export const idleQueues: GrowthScenario = {
  name: "idle-queues",
  title: "Queues that are idle",
  xTitle: "queues in which a task waits, 40 s after the last was added",
  series: [
    { key: "idleCpuUs", title: "server's processor time", unit: "µs a second" },
    { key: "memoryMiB", title: "server memory", unit: "MiB" },
    { key: "heldMiB", title: "server memory, once V8 was asked to collect what nobody holds", unit: "MiB" },
    { key: "describeMs", title: "describing the first of them", unit: "ms" },
  ],
  measure(options) {
    const counts = scaledAll([100_000, 200_000, 300_000], options.scale);
    const measure = async (server: BenchServer): Promise<Point[]> => {
      const points: Point[] = [];
      let queues = 0;
      for (const count of counts.slice(0, options.mostPoints)) {
        const first = queues;
        await server.add("-", count - first, (index) => ({ taskQueue: `queue-${first + index}`, retention: 0 }));
        queues = count;
        points.push(pointOf(count, await measureIdle(server, options.scale), options.progress));
      }
      return points;
    };
    return withServer(options, measure, ["--inspect=127.0.0.1:0"]);
  },
  shortfalls(points, scale) {
    // Not what V8 has not collected yet, which is any part of what adding them took.
    const memory = valuesOf(points, "heldMiB");
    const grown = Math.max(...memory) - Math.min(...memory);
    const busiest = Math.max(...valuesOf(points, "idleCpuUs"));
    return [
      ...(grown > asked.memoryMiB ? [`memory differs by ${grown.toFixed(0)} MiB, ${asked.memoryMiB} asked`] : []),
      // At a small scale the server is hardly awake when it is measured.
      ...(scale === 1 && busiest > asked.cpuUs
        ? [`an idle server takes ${busiest.toFixed(0)} µs a second, ${asked.cpuUs} asked`]
        : []),
    ];
  },
};

async function measureIdle(server: BenchServer, scale: number): Promise<Record<string, number>> {
  await sleep(forgottenAfterMs * scale);
  const cpuMs = server.cpuMs();
  const sinceMs = performance.now();
  await sleep(scaled(measuredMs, scale));
  const idleCpuUs = (1e6 * (server.cpuMs() - cpuMs)) / (performance.now() - sinceMs);
  // The first call of its kind pays for what it loads; the second finds a queue that is not in memory.
  await server.describe("queue-1");
  const sinceDescribedMs = performance.now();
  await server.describe("queue-0");
  const describeMs = performance.now() - sinceDescribedMs;
  return { idleCpuUs, memoryMiB: server.residentMiB(), heldMiB: await server.heldMiB(), describeMs };
}
