import { Tally } from "../../table/tally.ts";
import { type BenchServer, withServer } from "../bench-server.ts";
import {
  type GrowthScenario,
  measureInRounds,
  medianOf,
  mediansOf,
  scaled,
  scaledAll,
  unlessNearBeside,
  unlessWithin,
} from "../scenario.ts";
import { type HandPoller, pollByHand, untilWaiting } from "./polls.ts";

const asked = { rates: 0.7 };
/** Each number of queues is measured so often, each time on a new server: the rates are the middle ones. */
const rounds = 3;
/** On each server each rate is measured so often in a row. */
const windows = 3;
const windowTasks = 5_000;
/** So many go before what is counted: the server compiles what it calls for each queue once it has been called 30,000 times. */
const warmUpTasks = 40_000;

/**
 * Queues with a task each, and pollers of the first thousand of them. Another new server, with all of its polls on one queue,
 * is measured beside, in turn: what the machine does to one it does to the other.
 */
export const queues: GrowthScenario = {
  name: "queues",
  title: "Many queues",
  xTitle: "queues with a task each; 1,000 polls over the first 1,000 of them",
  series: [
    { key: "dispatch", title: "added and handled while 1,000 polls wait", unit: "tasks/s" },
    { key: "dispatchBeside", title: "at a server whose polls wait for one queue, measured beside", unit: "tasks/s" },
    { key: "add", title: "adding a task to each of 10,000 more queues", unit: "tasks/s" },
    { key: "addSame", title: "adding to these queues again", unit: "tasks/s" },
    { key: "dispatchCpuUs", title: "server's processor time for a task added and handled", unit: "µs" },
    { key: "dispatchBesideCpuUs", title: "that server's", unit: "µs" },
    { key: "memoryMiB", title: "server memory, no poll yet", unit: "MiB" },
  ],
  measure(options) {
    const { scale } = options;
    const counts = scaledAll([1, 10, 100, 1_000, 10_000, 100_000], scale);
    return measureInRounds(scale === 1 ? rounds : 1, counts, options, (count) =>
      withServer(options, (server) => withServer(options, (beside) => measureQueues(server, beside, count, scale))),
    );
  },
  shortfalls(points) {
    // Adding to the same queues again is shown beside: a batch to one queue is one row, which thousands of queues cannot have.
    return [
      ...unlessNearBeside(points, "dispatch", asked.rates, (x) => `with ${x} queues`),
      ...unlessWithin(points, "add", asked.rates),
    ];
  },
};

async function measureQueues(
  server: BenchServer,
  other: BenchServer,
  count: number,
  scale: number,
): Promise<Record<string, number>> {
  const window = scaled(windowTasks, scale);
  await server.add("-", count, (index) => ({ taskQueue: nameAt(index, count), retention: 0 }));
  const memoryMiB = server.residentMiB();
  const polled = Polled.begin(server, count, scale);
  const beside = Polled.begin(other, 1, scale);
  const dispatched: Dispatched[] = [];
  const dispatchedBeside: Dispatched[] = [];
  let memoryWithPollsMiB: number;
  try {
    await polled.handleWaiting();
    for (const each of [polled, beside]) await each.wait();
    for (const each of [polled, beside]) await each.dispatch(scaled(warmUpTasks, scale));
    for (let i = 0; i < windows; i++) {
      dispatched.push(await polled.dispatch(window));
      dispatchedBeside.push(await beside.dispatch(window));
    }
    memoryWithPollsMiB = server.residentMiB();
  } finally {
    for (const each of [polled, beside]) await each.stop();
  }
  let more = 0;
  const add = await middleOf(async () => {
    const first = more;
    more += 2 * window;
    return server.add("-", more - first, (index) => ({ taskQueue: `more-${first + index}`, retention: 0 }));
  });
  const addSame = await middleOf(() =>
    server.add("-", 2 * window, (index) => ({ taskQueue: nameAt(index, count), retention: 0 })),
  );
  const { dispatch, dispatchCpuUs } = mediansOf(dispatched);
  const { dispatch: dispatchBeside, dispatchCpuUs: dispatchBesideCpuUs } = mediansOf(dispatchedBeside);
  const measured = { dispatch, dispatchBeside, dispatchCpuUs, dispatchBesideCpuUs };
  return { ...measured, memoryWithPollsMiB, add, addSame, memoryMiB };
}

function nameAt(index: number, count: number): string {
  return `queue-${index % count}`;
}

/** What is measured some times over. */
async function middleOf(measure: () => Promise<number>): Promise<number> {
  const values: number[] = [];
  for (let i = 0; i < windows; i++) values.push(await measure());
  return medianOf(values);
}

/** Tasks a second, and the server's processor time for one. */
type Dispatched = Readonly<Record<"dispatch" | "dispatchCpuUs", number>>;

/** A server with polls over the first thousand of its queues: as many polls at every point, so that only the number of queues differs. */
class Polled {
  readonly #server: BenchServer;
  readonly #queues: number;
  readonly #tally = new Tally();
  readonly #polls: readonly HandPoller[];

  private constructor(server: BenchServer, count: number, polls: number) {
    this.#server = server;
    this.#queues = Math.min(count, polls);
    this.#polls = Array.from({ length: polls }, (_, index) =>
      pollByHand(server, this.#nameAt(index), `worker-${index}`, { onTask: () => this.#tally.handler("") }),
    );
  }

  static begin(server: BenchServer, count: number, scale: number): Polled {
    return new Polled(server, count, scaled(1_000, scale));
  }

  /** Resolves once the task that each of the queues has is handled. */
  handleWaiting(): Promise<void> {
    return this.#tally.until(this.#queues, 120_000);
  }

  /** Resolves once all polls wait. */
  wait(): Promise<void> {
    return untilWaiting(this.#server, this.#polls.length);
  }

  /** Adds so many tasks, in turn to these queues, while polls wait for them, until all are handled. */
  async dispatch(tasks: number): Promise<Dispatched> {
    const server = this.#server;
    const cpuMs = server.cpuMs();
    const sinceMs = performance.now();
    const until = this.#tally.handled + tasks;
    const handled = this.#tally.until(until, 60_000);
    await server.add("-", tasks, (index) => ({ taskQueue: this.#nameAt(index), retention: 0 }), { batch: 50 });
    await handled;
    const perSecond = (1_000 * (this.#tally.handled - until + tasks)) / (performance.now() - sinceMs);
    return { dispatch: perSecond, dispatchCpuUs: (1_000 * (server.cpuMs() - cpuMs)) / tasks };
  }

  async stop(): Promise<void> {
    await Promise.all(this.#polls.map((poll) => poll.stop()));
  }

  #nameAt(index: number): string {
    return nameAt(index, this.#queues);
  }
}
