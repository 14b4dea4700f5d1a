import { Client } from "@tq/client";
import { commands, Context, ReleaseToFallback, Worker, type WorkerOptions } from "@tq/worker-sdk";
import { TestServer } from "@tq/testing";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

// Thousands of tasks, on a machine that may be busy.
vi.setConfig({ testTimeout: 60_000 });

let server: TestServer;
let client: Client;
const running: { readonly worker: Worker; readonly done: Promise<void> }[] = [];

beforeEach(async () => {
  server = await TestServer.start();
  client = Client.create({ transport: server.transport, clock: server.clock });
});
afterEach(async () => {
  for (const { worker } of running) if (worker.getState() === "RUNNING") worker.shutdown();
  const stopped = Promise.all(running.splice(0).map(async ({ done }) => done));
  await server.clock.skipUntil(stopped);
  await server.stop();
});

async function start(options: Omit<WorkerOptions, "transport" | "clock">) {
  const worker = await Worker.create({ transport: server.transport, clock: server.clock, ...options });
  const run = { worker, done: worker.run() };
  running.push(run);
  return run;
}

describe("a process queue", () => {
  test("brings a task to the process that it names, and to its fallback once that process has gone", async () => {
    const ran: string[] = [];
    const host = (name: string) => ({
      taskQueue: "files",
      processQueue: true,
      activities: {
        async where() {
          ran.push(`where on ${name}`);
          return { name, queue: Context.current().info.processTaskQueue ?? "" };
        },
        async work() {
          ran.push(`work on ${name}`);
        },
      },
    });
    await start(host("one"));
    await start(host("two"));
    const files = client.activity<ReturnType<typeof host>["activities"]>({ taskQueue: "files" });
    const { name, queue } = await server.clock.skipUntil(files.execute("where"));
    const there = files.with({ taskQueue: queue, fallback: { taskQueue: "files" } });
    for (let n = 0; n < 3; n++) await server.clock.skipUntil(there.execute("work"));
    expect(ran.splice(0)).toEqual([`where on ${name}`, ...Array.from({ length: 3 }, () => `work on ${name}`)]);

    const gone = running.find(({ worker }) => worker.config.processTaskQueue === queue)!;
    gone.worker.shutdown();
    await server.clock.skipUntil(gone.done);
    await server.clock.skipUntil(there.execute("work"));
    expect(ran).toEqual([`work on ${name === "one" ? "two" : "one"}`]);
  });
});

/** What a workflow has come to: how many activities it has seen the end of, and the sum of their results. */
interface State {
  steps: number;
  sum: number;
}

/** Workflows that run `steps` activities, one after the other. Their state is in the cache of the worker that ran them last. */
function engine(steps: number) {
  /** What every process can read, at a price: the results so far of each workflow. */
  const histories = new Map<string, number[]>();
  const done = new Map<string, number>();
  const counts = { fromCache: 0, replayed: 0 };
  const workflows: WorkerOptions["workflows"] = {
    advance({ serialKey, closedTask }, { info, cache }) {
      const own = info.processTaskQueue ?? "";
      const history = histories.get(serialKey) ?? [];
      histories.set(serialKey, history);
      let state: State = { steps: 0, sum: 0 };
      if (closedTask !== undefined) {
        const kept = cache.get<State>();
        if (kept?.steps === history.length) {
          counts.fromCache++;
          state = kept;
        } else if (info.taskQueue === own) {
          throw new ReleaseToFallback("the workflow's state is not here");
        } else {
          counts.replayed++;
          state = { steps: history.length, sum: history.reduce((sum, result) => sum + result, 0) };
        }
        history.push(closedTask.result as number);
        state = { steps: state.steps + 1, sum: state.sum + (closedTask.result as number) };
      }
      if (state.steps === steps) {
        done.set(serialKey, state.sum);
        cache.delete();
        return { result: state.sum };
      }
      cache.set(state);
      const onClose = { taskQueue: own, fallbackTaskQueue: "engine", type: "advance", serialKey };
      return {
        commands: [commands.scheduleActivity({ taskQueue: "work", type: "square", args: [state.steps], onClose })],
      };
    },
  };
  let begun = 0;
  const begin = (count: number) =>
    client.tasks.addMany(
      Array.from({ length: count }, () => {
        const id = `flow-${begun++}`;
        return { id, taskQueue: "engine", kind: "workflow" as const, type: "advance", serialKey: id };
      }),
    );
  return { workflows, begin, done, counts };
}

/** Hits and misses of all workers together. */
function lookups(workers: readonly Worker[]) {
  const all = workers.map((worker) => worker.getStatus().cache);
  const hits = all.reduce((sum, cache) => sum + cache.hits, 0);
  const misses = all.reduce((sum, cache) => sum + cache.misses, 0);
  return { hits, misses, share: hits / (hits + misses) };
}

describe("sticky workflows", () => {
  const flows = 1_000;
  const steps = 6;
  const expected = [0, 1, 4, 9, 16, 25].reduce((sum, square) => sum + square, 0);

  test(`find their state in the worker's cache: over 95 % of ${flows} workflows' events, over three workers`, async () => {
    const { workflows, begin, done, counts } = engine(steps);
    const hosts = [];
    for (let n = 0; n < 3; n++) hosts.push(await start({ taskQueue: "engine", processQueue: true, workflows }));
    await start({ taskQueue: "work", activities: { square: (n: number) => n * n } });
    // In portions, so that the clock comes to rest in between.
    for (let left = flows; left > 0; left -= 25) {
      await begin(25);
      await server.clock.advance(100);
    }
    for (let turns = 0; done.size < flows && turns < 1_000; turns++) await server.clock.advance(100);
    expect([...new Set(done.values())]).toEqual([expected]);
    const { share } = lookups(hosts.map(({ worker }) => worker));
    expect(share).toBeGreaterThan(0.95);
    expect(counts.fromCache).toBe(flows * steps);
    // Every worker had some: it is not one that did all the work.
    for (const { worker } of hosts) expect(worker.getStatus().cache.hits).toBeGreaterThan(0);
  });

  test("go on elsewhere through the fallback when their worker has gone, and are rebuilt there", async () => {
    const { workflows, begin, done, counts } = engine(steps);
    const hosts = [];
    for (let n = 0; n < 3; n++) hosts.push(await start({ taskQueue: "engine", processQueue: true, workflows }));
    const isHeld = Promise.withResolvers<void>();
    await start({
      taskQueue: "work",
      maxConcurrentActivityTaskExecutions: 1_000,
      activities: {
        async square(n: number) {
          if (n === 2) await isHeld.promise;
          return n * n;
        },
      },
    });
    for (let left = 300; left > 0; left -= 25) {
      await begin(25);
      await server.clock.advance(100);
    }
    const [gone] = hosts;
    const had = gone!.worker.getStatus().cache.entries;
    gone!.worker.shutdown();
    await server.clock.skipUntil(gone!.done);
    isHeld.resolve();
    for (let turns = 0; done.size < 300 && turns < 1_000; turns++) await server.clock.advance(100);
    expect(done.size).toBe(300);
    expect([...new Set(done.values())]).toEqual([expected]);
    expect(had).toBeGreaterThan(0);
    // Each of its workflows was rebuilt once, and stays where it was rebuilt.
    expect(counts.replayed).toBe(had);
  });
});
