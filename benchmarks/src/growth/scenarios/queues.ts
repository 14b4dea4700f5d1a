import { Tally } from "../../table/tally.ts";
import { type BenchServer, withServer } from "../bench-server.ts";
import {
  type GrowthScenario,
  measureInRounds,
  medianOf,
  mediansOf,
  scaled,
  scaledAll,
  unlessWithin,
} from "../scenario.ts";
import { pollByHand, untilWaiting } from "./polls.ts";

const asked = { rates: 0.7 };
/** Each number of queues is measured so often, each time on a new server: the rates are the middle ones. */
const rounds = 3;
/** On each server each rate is measured so often in a row. */
const windows = 3;
const windowTasks = 5_000;

/** Queues with a task each, and pollers of the first thousand of them. */
export const queues: GrowthScenario = {
  name: "queues",
  title: "Many queues",
  xTitle: "queues with a task each; 1,000 polls over the first 1,000 of them",
  series: [
    { key: "dispatch", title: "added and handled while 1,000 polls wait", unit: "tasks/s" },
    { key: "add", title: "adding a task to each of 10,000 more queues", unit: "tasks/s" },
    { key: "addSame", title: "adding to these queues again", unit: "tasks/s" },
    { key: "dispatchCpuUs", title: "server's processor time for a task added and handled", unit: "µs" },
    { key: "memoryMiB", title: "server memory, no poll yet", unit: "MiB" },
  ],
  measure(options) {
    const counts = scaledAll([1, 10, 100, 1_000, 10_000, 100_000], options.scale);
    return measureInRounds(options.scale === 1 ? rounds : 1, counts, options, (count) =>
      withServer(options, (server) => measureQueues(server, count, options.scale)),
    );
  },
  shortfalls(points) {
    // Adding to the same queues again is shown beside: a batch to one queue is one row, which thousands of queues cannot have.
    return [...unlessWithin(points, "dispatch", asked.rates), ...unlessWithin(points, "add", asked.rates)];
  },
};

async function measureQueues(server: BenchServer, count: number, scale: number): Promise<Record<string, number>> {
  const pollers = scaled(1_000, scale);
  const window = scaled(windowTasks, scale);
  const name = (index: number): string => `queue-${index % count}`;
  await server.add("-", count, (index) => ({ taskQueue: name(index), retention: 0 }));
  const memoryMiB = server.residentMiB();
  // As many polls at every point, so that only the number of queues differs.
  const polled = Math.min(count, pollers);
  const dispatched = await dispatchTo(server, pollers, polled, name, window);
  let more = 0;
  const add = await middleOf(async () => {
    const first = more;
    more += 2 * window;
    return server.add("-", more - first, (index) => ({ taskQueue: `more-${first + index}`, retention: 0 }));
  });
  const addSame = await middleOf(() =>
    server.add("-", 2 * window, (index) => ({ taskQueue: name(index), retention: 0 })),
  );
  return { ...dispatched, add, addSame, memoryMiB };
}

/** What is measured some times over. */
async function middleOf(measure: () => Promise<number>): Promise<number> {
  const values: number[] = [];
  for (let i = 0; i < windows; i++) values.push(await measure());
  return medianOf(values);
}

/** The task that each of the first queues has is handled; then what is added to them in turn, while all polls wait. */
async function dispatchTo(
  server: BenchServer,
  pollers: number,
  polled: number,
  name: (index: number) => string,
  window: number,
): Promise<Record<string, number>> {
  const tally = new Tally();
  const held = Array.from({ length: pollers }, (_, index) =>
    pollByHand(server, name(index % polled), `worker-${index}`, { onTask: () => tally.handler("") }),
  );
  try {
    await tally.until(polled, 120_000);
    await untilWaiting(server, pollers);
    const dispatched: Dispatched[] = [];
    // What is compiled in the first of them is not counted.
    for (let i = 0; i <= windows; i++) {
      dispatched.push(await dispatch(server, tally, window, (index) => name(index % polled)));
    }
    return { ...mediansOf(dispatched.slice(1)), memoryWithPollsMiB: server.residentMiB() };
  } finally {
    await Promise.all(held.map((poller) => poller.stop()));
  }
}

/** Tasks a second, and the server's processor time for one. */
type Dispatched = Readonly<Record<"dispatch" | "dispatchCpuUs", number>>;

/** Adds so many tasks, in turn to these queues, while polls wait for them, until all are handled. */
async function dispatch(
  server: BenchServer,
  tally: Tally,
  tasks: number,
  queueAt: (index: number) => string,
): Promise<Dispatched> {
  const cpuMs = server.cpuMs();
  const sinceMs = performance.now();
  const until = tally.handled + tasks;
  const handled = tally.until(until, 60_000);
  await server.add("-", tasks, (index) => ({ taskQueue: queueAt(index), retention: 0 }), { batch: 50 });
  await handled;
  const perSecond = (1_000 * (tally.handled - until + tasks)) / (performance.now() - sinceMs);
  return { dispatch: perSecond, dispatchCpuUs: (1_000 * (server.cpuMs() - cpuMs)) / tasks };
}
