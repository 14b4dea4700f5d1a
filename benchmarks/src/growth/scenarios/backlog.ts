import { execFileSync } from "node:child_process";
import {
  type GrowthScenario,
  mediansOf,
  type Point,
  pointOf,
  scaled,
  scaledAll,
  unlessNearBeside,
  valuesOf,
} from "../scenario.ts";
import { type BenchServer, withServer } from "../bench-server.ts";

/** So many are added and drained on top of those that wait, some times over; the rates are the middle ones. */
const windowTasks = 50_000;
const windows = 7;
/** What waits at another server that is measured beside, in turn: what the machine does to one it does to the other. */
const shallow = 10_000;
const asked = { rates: 0.8, memoryMiB: 50, restartMs: 2_000 };

/** A backlog that grows, on one server: at each size so many are added and drained, and the server is killed and restarted. */
export const backlog: GrowthScenario = {
  name: "backlog",
  title: "A growing backlog",
  xTitle: "tasks waiting",
  series: [
    { key: "add", title: "adding more", unit: "tasks/s" },
    { key: "drain", title: "draining", unit: "tasks/s" },
    { key: "addBeside", title: "adding to a server with 10,000 waiting, measured beside", unit: "tasks/s" },
    { key: "drainBeside", title: "draining that server", unit: "tasks/s" },
    { key: "addCpuUs", title: "server's processor time for an added task", unit: "µs" },
    { key: "drainCpuUs", title: "server's processor time for a drained task", unit: "µs" },
    { key: "memoryMiB", title: "server memory", unit: "MiB" },
    { key: "restartMs", title: "from start to first answer, after a kill", unit: "ms" },
  ],
  async measure(options) {
    const { scale, progress, mostPoints } = options;
    return withServer(options, (beside) =>
      withServer(options, async (server) => {
        const window = scaled(windowTasks, scale);
        for (const each of [beside, server]) {
          await each.configure("backlog");
          await each.warmUp(scale, windowTasks);
        }
        await beside.add("backlog", scaled(shallow, scale));
        const points: Point[] = [];
        let waiting = 0;
        for (const size of scaledAll([10_000, 100_000, 1_000_000, 10_000_000], scale).slice(0, mostPoints)) {
          await server.add("backlog", size - waiting, undefined, { batch: 1_000 });
          waiting = size;
          // What adding them left to be written is not what a window costs.
          execFileSync("sync");
          const rates: Rates[] = [];
          const ratesBeside: Rates[] = [];
          for (let i = 0; i < windows; i++) {
            rates.push(await measureWindow(server, window));
            ratesBeside.push(await measureWindow(beside, window));
          }
          const memoryMiB = server.residentMiB();
          const restartMs = await server.killAndRestart();
          await server.warmUp(scale, windowTasks);
          const { add: addBeside, drain: drainBeside } = mediansOf(ratesBeside);
          const values = { ...mediansOf(rates), addBeside, drainBeside, memoryMiB, restartMs };
          points.push(pointOf(size, { ...values, dataMiB: server.dataMiB() }, progress));
        }
        return points;
      }),
    );
  },
  shortfalls(points) {
    const memory = valuesOf(points, "memoryMiB");
    const grown = Math.max(...memory) - Math.min(...memory);
    const slowest = Math.max(...valuesOf(points, "restartMs"));
    return [
      ...["add", "drain"].flatMap((key) => unlessNearBeside(points, key, asked.rates, (x) => `with ${x} waiting`)),
      ...(grown > asked.memoryMiB ? [`memory differs by ${grown.toFixed(0)} MiB, ${asked.memoryMiB} asked`] : []),
      ...(slowest > asked.restartMs ? [`a restart takes ${slowest.toFixed(0)} ms, ${asked.restartMs} asked`] : []),
    ];
  },
};

type Rates = Readonly<Record<"add" | "drain" | "addCpuUs" | "drainCpuUs", number>>;

async function measureWindow(server: BenchServer, window: number): Promise<Rates> {
  const before = server.cpuMs();
  const add = await server.add("backlog", window);
  const between = server.cpuMs();
  const { perSecond: drain } = await server.drain("backlog", window);
  const perTask = (cpuMs: number): number => (1_000 * cpuMs) / window;
  return { add, drain, addCpuUs: perTask(between - before), drainCpuUs: perTask(server.cpuMs() - between) };
}
