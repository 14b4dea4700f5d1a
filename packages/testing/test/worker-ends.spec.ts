// Workers that end, and servers that do, each in a process of its own over a real port.

import { expect, test } from "vitest";
import type { WorkerProcess } from "./worker-process.ts";
import { startWorkerRig } from "./worker-rig.ts";

interface Activities {
  sleep(ms: number): Promise<string>;
  spin(ms: number): Promise<string>;
}

const taskQueue = "q";
const leaseMs = 3_000;

async function rig() {
  const { server, client, startWorker } = await startWorkerRig();
  const activity = client.activity<Activities>({ taskQueue });
  const start = (maxConcurrentActivityTaskExecutions = 20) =>
    startWorker({ taskQueue, lease: leaseMs, maxConcurrentActivityTaskExecutions });
  const begun = (worker: WorkerProcess) => worker.said.filter(({ begun: type }) => type === "sleep").length;
  const warnings = (worker: WorkerProcess) => worker.said.filter(({ level }) => level === "warn");
  return { server, activity, start, begun, warnings };
}

test(
  "killed under load: what it held is with another worker within a lease, and nothing else is touched",
  { timeout: 60_000 },
  async () => {
    const { activity, start, begun } = await rig();
    // Ten that the worker has for long; and others, whose answers confirm that the ten have arrived.
    const ids = Array.from({ length: 200 }, (_, n) => n);
    const tasks = await Promise.all(ids.map(async (n) => activity.start("sleep", n < 10 ? 3_000 : 200)));
    const victim = start();
    await victim.until(() => begun(victim) >= 50);
    await victim.end("SIGKILL");
    const killedAtMs = Date.now();
    const heir = start();
    const results = await Promise.all(tasks.map(async (task) => task.result()));
    expect(new Set(results)).toEqual(new Set(["slept"]));

    const described = await Promise.all(tasks.map(async (task) => task.describe()));
    const lost = described.filter((task) => (task?.failedAttempts.length ?? 0) > 0);
    // Those that it held, and as many at most as it had slots. What had just arrived has come back for nothing, or with them.
    expect(lost.length).toBeGreaterThanOrEqual(10);
    expect(lost.length).toBeLessThanOrEqual(20);
    for (const task of lost) {
      expect(task?.failedAttempts).toMatchObject([{ attempt: 1, failure: { type: "WorkerLost" } }]);
      expect(task?.attempt).toBe(2);
      // The lease is counted from its last renewal, before the kill; the second is for the server, on a busy machine.
      expect(Number(task?.failedAttempts[0]?.failedAt) - killedAtMs).toBeLessThanOrEqual(leaseMs + 1_000);
    }
    // At most as many as it had slots were begun twice.
    expect(begun(victim) + begun(heir)).toBeLessThanOrEqual(220);
    expect(await heir.end("SIGTERM")).toBe(0);
  },
);

test(
  "a worker outlives its server: it keeps what it has, polls again, and says so in two lines",
  { timeout: 60_000 },
  async () => {
    const { server, activity, start, begun, warnings } = await rig();
    const worker = start();
    for (let round = 1; round <= 2; round++) {
      const long = await activity.start("sleep", 2_500);
      await worker.until(() => begun(worker) === 2 * round - 1);
      await server.kill();
      await worker.until(() => warnings(worker).length === 2 * round - 1);
      await server.start();
      await worker.until(() => warnings(worker).length === 2 * round);
      expect(await long.result()).toBe("slept");
      expect((await long.describe())?.failedAttempts).toEqual([]);
      expect(await activity.execute("sleep", 1)).toBe("slept");
    }
    expect(warnings(worker).map(({ message }) => message)).toEqual([
      "Calls to the tq server fail; the worker keeps its tasks and goes on trying",
      "Calls to the tq server go through again",
      "Calls to the tq server fail; the worker keeps its tasks and goes on trying",
      "Calls to the tq server go through again",
    ]);
    expect(await worker.end("SIGTERM")).toBe(0);
  },
);

test(
  "asked to end, it finishes what runs, gives back the rest, and leaves no thread, timer or socket that keeps its process",
  { timeout: 60_000 },
  async () => {
    const { activity, start, begun } = await rig();
    const worker = start(2);
    const spun = await activity.start("spin", 100);
    expect(await spun.result()).toBe("spun");
    const tasks = await Promise.all([1, 2, 3].map(async () => activity.start("sleep", 500)));
    await worker.until(() => begun(worker) === 2);
    // It ends by itself: whatever was left would keep it.
    expect(await worker.end("SIGTERM")).toBe(0);
    const stopped = worker.said.find(({ message }) => message === "The worker has stopped");
    expect(stopped).toMatchObject({ finished: 2, givenBack: 0, answersLost: 0 });
    const left = worker.said.find(({ left: found }) => found !== undefined)?.["left"] as string[];
    expect(left.filter((name) => /TCP|Timeout|Immediate|MessagePort|Worker/.test(name))).toEqual([]);
    const states = await Promise.all(tasks.map(async (task) => (await task.describe())?.state));
    expect(states.toSorted()).toEqual(["COMPLETED", "COMPLETED", "READY"]);
  },
);
