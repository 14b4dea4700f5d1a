import { Tally } from "../../table/tally.ts";
import { callAtOnce } from "../../table/callers.ts";
import { type BenchServer, benchType, withServer } from "../bench-server.ts";
import { type GrowthScenario, measureEach, scaled, scaledAll, unlessWithin } from "../scenario.ts";
import { pollByHand, untilWaiting } from "./polls.ts";

const asked = { rates: 0.7 };

/** Queues with a task each, and pollers of the first thousand of them. */
export const queues: GrowthScenario = {
  name: "queues",
  title: "Many queues",
  xTitle: "queues with a task each; 1,000 polls over the first 1,000 of them",
  series: [
    { key: "add", title: "adding a task to each queue", unit: "tasks/s" },
    { key: "dispatch", title: "added and handled while 1,000 polls wait", unit: "tasks/s" },
    { key: "memoryMiB", title: "server memory, no poll yet", unit: "MiB" },
  ],
  measure(options) {
    return measureEach(scaledAll([1, 10, 100, 1_000, 10_000, 100_000], options.scale), options, (count) =>
      withServer(options, (server) => measureQueues(server, count, options.scale)),
    );
  },
  shortfalls(points) {
    // A single queue gets what others have to be spread over thousands of pages.
    return [...unlessWithin(points, "dispatch", asked.rates), ...unlessWithin(points.slice(3), "add", asked.rates)];
  },
};

async function measureQueues(server: BenchServer, count: number, scale: number): Promise<Record<string, number>> {
  const pollers = scaled(1_000, scale);
  const name = (index: number): string => `queue-${index % count}`;
  // At least so many tasks that a rate can be told.
  const tasks = Math.max(count, scaled(10_000, scale));
  const add = await server.add("-", tasks, (index) => ({ taskQueue: name(index), retention: 0 }));
  const memoryMiB = server.residentMiB();
  // As many at every point, so that only the number of queues differs.
  const polled = Math.min(count, pollers);
  const tally = new Tally();
  const held = Array.from({ length: pollers }, (_, index) =>
    pollByHand(server, name(index % polled), `worker-${index}`, { onTask: () => tally.handler("") }),
  );
  try {
    // First what waits in those queues, then what is added while all wait.
    await tally.until(waitingIn(tasks, count, polled), 120_000);
    await untilWaiting(server, pollers);
    const more = scaled(5_000, scale);
    let next = 0;
    const until = tally.handled + more;
    const sinceMs = performance.now();
    const handled = tally.until(until, 60_000);
    await callAtOnce(10, Infinity, () => {
      if (next >= more) return false;
      const first = next;
      next += 50;
      const newTask = (_: unknown, index: number) => ({
        taskQueue: name((first + index) % polled),
        type: benchType,
        args: ["x".repeat(256)],
        retention: 0,
      });
      return server.client.tasks.addMany(Array.from({ length: 50 }, newTask));
    });
    await handled;
    const dispatch = (1_000 * (tally.handled - until + more)) / (performance.now() - sinceMs);
    return { add, dispatch, memoryMiB, memoryWithPollsMiB: server.residentMiB() };
  } finally {
    await Promise.all(held.map((poller) => poller.stop()));
  }
}

/** How many of the tasks, dealt out in turn, are in the first queues. */
function waitingIn(tasks: number, queueCount: number, firstQueues: number): number {
  const rest = tasks % queueCount;
  return Math.floor(tasks / queueCount) * firstQueues + Math.min(rest, firstQueues);
}
