import type { NewTask } from "@tq/client";
import { Worker } from "@tq/worker-sdk";
import { type BenchServer, benchType, withServer } from "../bench-server.ts";
import { type GrowthScenario, measureEach, mediansOf, scaled } from "../scenario.ts";

/** Half of the plain rate, as the issue has it. */
const asked = { share: 0.5 };
/** So many others are added and drained, some times over; the rates are the middle ones. */
const windowTasks = 30_000;
const windows = 3;
const queue = "blocked";
/** Has the million if nothing is to stand at the head: server and client are as warm, and the file as large. */
const aside = "aside";

/** What stands at the head, and may not be taken. */
const heads = {
  none: () => ({}),
  "missing type": () => ({ type: "nobody-has-this" }),
  "throttled key": () => ({ fairnessKey: "blocked" }),
  "saturated key": () => ({ fairnessKey: "blocked" }),
  "busy serial key": () => ({ serialKey: "blocked" }),
} as const satisfies Record<string, () => Partial<NewTask>>;

type Head = keyof typeof heads;

/** A million tasks at the head of a queue that nobody may take just now, and others behind them. */
export const blockedHead: GrowthScenario = {
  name: "blocked-head",
  title: "A million tasks at the head that nobody may take",
  xTitle: "why they may not be taken",
  series: [
    { key: "drain", title: "draining others behind them, 30,000 at a time", unit: "tasks/s" },
    { key: "add", title: "adding the others", unit: "tasks/s" },
    { key: "memoryMiB", title: "server memory", unit: "MiB" },
  ],
  async measure(options) {
    // The client is one process for all of them: what comes first would be measured with a colder one than the others.
    await withServer(options, (server) => measureBehind(server, "none", options.scale));
    return measureEach(Object.keys(heads) as Head[], { ...options, mostPoints: Infinity }, (head) =>
      withServer(options, (server) => measureBehind(server, head, options.scale)),
    );
  },
  shortfalls(points) {
    const plain = points.find(({ x }) => x === "none")?.values["drain"] ?? 0;
    return points.flatMap(({ x, values }) => {
      const share = (values["drain"] ?? 0) / plain;
      return share >= asked.share ? [] : [`${x}: the others drain at ${Math.round(100 * share)} % of their plain rate`];
    });
  },
};

async function measureBehind(server: BenchServer, head: Head, scale: number): Promise<Record<string, number>> {
  const others = scaled(windowTasks, scale);
  await server.configure(queue, limitsOf(head));
  // The key is used up by tasks that are dispatched first and stay with a worker of their own.
  const occupied =
    head === "saturated key" || head === "busy serial key" ? await occupy(server, heads[head]) : undefined;
  const millionIn = head === "none" ? aside : queue;
  await server.add(millionIn, scaled(1_000_000, scale), heads[head], { batch: 1_000 });
  const rates: Record<"add" | "drain", number>[] = [];
  let handled = 0;
  for (let i = 0; i < windows; i++) {
    const add = await server.add(queue, others);
    const drained = await server.drain(queue, others, { limitMs: 30_000 });
    rates.push({ add, drain: drained.perSecond });
    handled += drained.handled;
  }
  const memoryMiB = server.residentMiB();
  await occupied?.();
  return { ...mediansOf(rates), memoryMiB, handled };
}

function limitsOf(head: Head): object {
  switch (head) {
    case "none":
    case "missing type":
    case "busy serial key":
      return {};
    case "throttled key":
      // One now, and the next in a quarter of an hour.
      return { fairnessKeys: { blocked: { ratePerSecond: 0.001, burst: 1 } } };
    case "saturated key":
      return { fairnessKeys: { blocked: { maxStarted: 1 } } };
  }
}

/** Has one task of the key started until the answered function is called. */
async function occupy(server: BenchServer, task: () => Partial<NewTask>): Promise<() => Promise<void>> {
  const started = Promise.withResolvers<void>();
  const over = Promise.withResolvers<void>();
  const activities = {
    async [benchType](): Promise<void> {
      started.resolve();
      await over.promise;
    },
  };
  const options = { address: server.address, taskQueue: queue, activities, maxConcurrentActivityTaskExecutions: 1 };
  const worker = await Worker.create(options);
  const running = worker.run();
  await server.add(queue, 1, task);
  await started.promise;
  return async () => {
    worker.shutdown();
    over.resolve();
    await running;
  };
}
