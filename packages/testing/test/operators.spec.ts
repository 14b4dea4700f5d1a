/* What operators do, over the wire, the whole server and a real store behind it. */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient, type Client } from "@connectrpc/connect";
import {
  OperatorService,
  TaskQueueKind,
  TaskService,
  TaskState,
  WaitReason,
  WorkerService,
  type BulkProgress,
  type DispatchedTask,
  type NewTask,
  type NewTaskSchema,
  type PollTasksRequestSchema,
  type TaskQueueDescription,
} from "@tq/proto";
import { ErrorInfoSchema } from "@tq/proto/google/rpc";
import { TestServer } from "@tq/testing";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

let server: TestServer;
let tasks: Client<typeof TaskService>;
let workers: Client<typeof WorkerService>;
let operator: Client<typeof OperatorService>;

beforeEach(async () => {
  server = await TestServer.start();
  tasks = createClient(TaskService, server.transport);
  workers = createClient(WorkerService, server.transport);
  operator = createClient(OperatorService, server.transport);
});
afterEach(async () => server.stop());

const taskQueue = { name: "q", kind: TaskQueueKind.ACTIVITY };
const other = { name: "r", kind: TaskQueueKind.ACTIVITY };
const alice = { actor: "alice", reason: "because" };
const seconds = (n: number) => ({ seconds: BigInt(n) });

async function add(...list: Exclude<MessageInitShape<typeof NewTaskSchema>, NewTask>[]): Promise<void> {
  await tasks.addTasks({ tasks: list.map((task) => ({ taskQueue, type: "t", ...task })) });
}

/** A poll that does not wait, unless told to. */
async function poll(
  more: Omit<MessageInitShape<typeof PollTasksRequestSchema>, "$typeName" | "$unknown"> = {},
): Promise<readonly DispatchedTask[]> {
  const request = { worker: { workerId: "w" }, taskQueues: [taskQueue], maxTasks: 10, wait: seconds(0), ...more };
  return (await workers.pollTasks(request)).tasks;
}

async function describeQueue(ref = taskQueue): Promise<TaskQueueDescription> {
  return (await operator.describeTaskQueue({ taskQueue: ref })).taskQueues[0]!;
}

async function reasons(): Promise<WaitReason[]> {
  return (await describeQueue()).reasons.map(({ reason }) => reason);
}

async function last(
  stream: AsyncIterable<{ readonly progress?: BulkProgress | undefined }>,
): Promise<BulkProgress | undefined> {
  let progress: BulkProgress | undefined;
  for await (const reply of stream) progress = reply.progress;
  return progress;
}

async function refusal(call: Promise<unknown>): Promise<string | undefined> {
  const error = ConnectError.from(await call.catch((reason: unknown) => reason));
  return error.findDetails(ErrorInfoSchema)[0]?.reason ?? Code[error.code];
}

async function stateOf(id: string): Promise<TaskState | undefined> {
  return (await tasks.getTasks({ ids: [id] })).tasks[0]?.state;
}

const ids = (list: readonly { readonly id: string }[]): string[] => list.map(({ id }) => id);

describe("configuration", () => {
  test("a rate holds from the next dispatch on, and those who wait get the next task to the ms", async () => {
    await operator.updateTaskQueueConfig({ taskQueue, config: { ratePerSecond: 2, burst: 1 }, action: alice });
    await add({ id: "a" }, { id: "b" }, { id: "c" });
    expect(ids(await poll())).toEqual(["a"]);
    expect(await reasons()).toEqual([WaitReason.RATE_LIMITED, WaitReason.NO_FREE_SLOTS]);
    const waiting = poll({ wait: seconds(30) });
    await server.clock.advance(499);
    expect(await Promise.race([waiting, server.clock.settle().then(() => "waits")])).toBe("waits");
    await server.clock.advance(1);
    expect(ids(await waiting)).toEqual(["b"]);
    await operator.updateTaskQueueConfig({ taskQueue, updateMask: { paths: ["rate_per_second", "burst"] } });
    expect(ids(await poll())).toEqual(["c"]);
  });

  test("a rate that a worker asks for holds as long as it lives, and an operator's wins", async () => {
    await add({ id: "a" }, { id: "b" }, { id: "c" }, { id: "d" });
    expect(ids(await poll({ taskQueueRatePerSecond: 1 }))).toEqual(["a"]);
    expect(await poll({ taskQueueRatePerSecond: 1 })).toEqual([]);
    const [limited] = (await describeQueue()).reasons;
    expect(limited).toMatchObject({ reason: WaitReason.RATE_LIMITED });
    expect(limited?.hint).toContain("1 a second");
    await operator.updateTaskQueueConfig({ taskQueue, config: { ratePerSecond: 1_000 } });
    await server.clock.advance(1);
    expect(ids(await poll({ taskQueueRatePerSecond: 1, maxTasks: 1 }))).toEqual(["b"]);
    await operator.updateTaskQueueConfig({ taskQueue, updateMask: { paths: ["rate_per_second"] } });
    expect(await poll({ taskQueueRatePerSecond: 1 })).toEqual([]);
    await server.clock.advance(16_000);
    expect(ids(await poll({ worker: { workerId: "v" } }))).toEqual(["c", "d"]);
  });

  test("no update is lost: of two with one revision, the second is refused", async () => {
    const update = { taskQueue, config: { maxStarted: 2 } };
    const { config } = await operator.updateTaskQueueConfig(update);
    expect(config).toMatchObject({ maxStarted: 2 });
    const expectedRevision = config!.revision;
    const second = await operator.updateTaskQueueConfig({ ...update, config: { burst: 5 }, expectedRevision });
    expect(await refusal(operator.updateTaskQueueConfig({ ...update, expectedRevision }))).toBe("REVISION_MISMATCH");
    const revision = second.config!.revision;
    expect(revision).toBeGreaterThan(expectedRevision);
    expect((await describeQueue()).config).toMatchObject({ revision, maxStarted: 2, burst: 5 });
  });

  test("a repeated change does nothing twice", async () => {
    const update = { taskQueue, config: { maxStarted: 2 }, action: { requestId: "once" } };
    const { config } = await operator.updateTaskQueueConfig(update);
    expect((await operator.updateTaskQueueConfig(update)).config).toEqual(config);
    expect((await describeQueue()).config).toEqual(config);
  });

  test("limits of starting and of the backlog hold, each with its reason", async () => {
    await operator.updateTaskQueueConfig({ taskQueue, config: { maxStarted: 1, maxBacklog: 2n } });
    await add({ id: "a" }, { id: "b" });
    expect(await refusal(add({ id: "c" }))).toBe("MAX_BACKLOG");
    expect(ids(await poll())).toEqual(["a"]);
    void poll({ wait: seconds(30), pollId: "p" });
    await server.clock.settle();
    expect(await reasons()).toEqual([WaitReason.MAX_STARTED]);
  });

  test("a throttled fairness key is named as the reason, for the queue and for its task", async () => {
    const fairnessKeys = { slow: { ratePerSecond: 0.1, burst: 1 } };
    await operator.updateTaskQueueConfig({ taskQueue, config: { fairnessKeys } });
    await add({ id: "a", fairnessKey: "slow" }, { id: "b", fairnessKey: "slow" }, { id: "c" });
    expect(ids(await poll()).sort()).toEqual(["a", "c"]);
    const waiting = poll({ wait: seconds(5) });
    await server.clock.settle();
    expect(await reasons()).toEqual([WaitReason.KEY_RATE_LIMITED]);
    const { tasks: found } = await tasks.getTasks({ ids: ["b"] });
    expect(found[0]?.reasons).toMatchObject([{ reason: WaitReason.KEY_RATE_LIMITED, count: 1n }]);
    await server.clock.advance(6_000);
    expect(await waiting).toEqual([]);
  });

  test("a queue's defaults hold for tasks that say nothing themselves", async () => {
    const config = {
      defaultRetryPolicy: { maximumAttempts: 7 },
      defaultStartToCloseTimeout: seconds(5),
      defaultScheduleToCloseTimeout: seconds(60),
    };
    await operator.updateTaskQueueConfig({ taskQueue, config });
    await add({ id: "a" }, { id: "b", timeouts: { scheduleToClose: seconds(0) }, retryPolicy: { maximumAttempts: 1 } });
    const [a, b] = await poll();
    expect(a).toMatchObject({ maximumAttempts: 7, startToCloseTimeout: seconds(5) });
    expect(a?.scheduleToCloseDeadline).toBeDefined();
    expect(b).toMatchObject({ maximumAttempts: 1, startToCloseTimeout: seconds(5) });
    expect(b?.scheduleToCloseDeadline).toBeUndefined();
  });
});

describe("pause, resume and drain", () => {
  test("a paused queue takes adds and dispatches nothing until it is resumed", async () => {
    const { pause } = await operator.pauseTaskQueue({ taskQueue: { name: "q" }, action: alice });
    expect(pause).toMatchObject({ actor: "alice", reason: "because" });
    await add({ id: "a" });
    const waiting = poll({ wait: seconds(30) });
    await server.clock.advance(1_000);
    expect((await describeQueue()).reasons).toMatchObject([{ reason: WaitReason.PAUSED, count: 1n }]);
    expect(await operator.resumeTaskQueue({ taskQueue: { name: "q" } })).toMatchObject({ wasPaused: true });
    expect(ids(await waiting)).toEqual(["a"]);
  });

  test("a pause ends by itself at its time, also over a restart", async () => {
    const until = { seconds: BigInt(server.clock.now() / 1_000 + 60) };
    await operator.pauseTaskQueue({ taskQueue, until });
    await add({ id: "a" });
    await server.restart();
    const first = poll({ wait: seconds(50) });
    await server.clock.advance(55_000);
    expect(await first).toEqual([]);
    expect((await describeQueue()).pause).toMatchObject({ until });
    const second = poll({ wait: seconds(30) });
    await server.clock.advance(5_000);
    expect(ids(await second)).toEqual(["a"]);
    expect((await describeQueue()).pause).toBeUndefined();
  });

  test("a drained queue refuses adds and goes on dispatching", async () => {
    await add({ id: "a" });
    await operator.drainTaskQueue({ taskQueue, action: alice });
    expect(await refusal(add({ id: "b" }))).toBe("TASK_QUEUE_DRAINING");
    expect(ids(await poll())).toEqual(["a"]);
    expect(await operator.resumeTaskQueue({ taskQueue })).toMatchObject({ wasDraining: true, wasPaused: false });
    await add({ id: "b" });
  });
});

describe("bulk calls", () => {
  const ofQueue = { filter: { taskQueue } };

  test("purge, move and release, counted in a dry run and then done", async () => {
    await add(...Array.from({ length: 1_200 }, (_, i) => ({ id: `t${i}` })));
    expect(await last(operator.moveTasks({ bulk: { ...ofQueue, dryRun: true }, to: other }))).toMatchObject({
      changed: 1_200n,
      done: true,
    });
    expect((await describeQueue()).counts).toMatchObject({ ready: 1_200n });
    await last(operator.moveTasks({ bulk: { ...ofQueue, limit: 200n }, to: other, action: alice }));
    expect((await describeQueue(other)).counts).toMatchObject({ ready: 200n });
    const held = await poll({ maxTasks: 5 });
    expect(held).toHaveLength(5);
    expect(await last(operator.releaseTasks({ bulk: { filter: { workerId: "w" } } }))).toMatchObject({ changed: 5n });
    expect((await describeQueue()).counts).toMatchObject({ started: 0n, ready: 1_000n });
    expect(await last(operator.purgeTasks({ bulk: ofQueue }))).toMatchObject({ changed: 1_000n });
    expect((await describeQueue()).counts).toMatchObject({ ready: 0n });
    expect(await stateOf("t700")).toBe(TaskState.CANCELED);
  });

  test("redrive opens dead tasks again, by their ids", async () => {
    await add({ id: "a", retryPolicy: { maximumAttempts: 1 } }, { id: "b", retryPolicy: { maximumAttempts: 1 } });
    const answers = (await poll()).map(({ token }) => ({ token, answer: { case: "failed" as const, value: {} } }));
    await workers.respondTasks({ answers });
    expect(await stateOf("a")).toBe(TaskState.FAILED);
    expect(await last(operator.redriveTasks({ bulk: { filter: { ids: ["a"] } } }))).toMatchObject({ changed: 1n });
    expect(await poll()).toMatchObject([{ id: "a", run: 2, attempt: 1 }]);
    expect(await stateOf("b")).toBe(TaskState.FAILED);
  });

  test("the tasks of a build are those of its live workers, and none of a build that nobody knows", async () => {
    await add({ id: "a" }, { id: "b" });
    await poll({ worker: { workerId: "old", buildId: "v1" }, maxTasks: 1 });
    await poll({ worker: { workerId: "new", buildId: "v2" }, maxTasks: 1 });
    expect(ids((await tasks.listTasks({ filter: { buildId: "v1" } })).tasks)).toEqual(["a"]);
    expect(await last(operator.purgeTasks({ bulk: { filter: { buildId: "v0" } } }))).toMatchObject({ changed: 0n });
    expect(await last(operator.releaseTasks({ bulk: { filter: { buildId: "v1" } } }))).toMatchObject({ changed: 1n });
    expect(await stateOf("b")).toBe(TaskState.STARTED);
  });
});

describe("DeleteTaskQueue", () => {
  test("refuses a queue with tasks or workers, and purges it where told to", async () => {
    await operator.updateTaskQueueConfig({ taskQueue, config: { maxStarted: 5 } });
    await add({ id: "a" }, { id: "b" });
    expect(await refusal(last(operator.deleteTaskQueue({ taskQueue })))).toBe("TASK_QUEUE_NOT_EMPTY");
    await poll({ maxTasks: 1 });
    const progress = await last(operator.deleteTaskQueue({ taskQueue, purge: true, action: alice }));
    expect(progress).toMatchObject({ changed: 2n, done: true });
    const { config, drain, counts } = await describeQueue();
    expect([config?.maxStarted, drain, counts?.started]).toEqual([undefined, undefined, 0n]);
    expect(await refusal(last(operator.deleteTaskQueue({ taskQueue })))).toBe("TASK_QUEUE_NOT_EMPTY");
    await server.clock.advance(16_000);
    await last(operator.deleteTaskQueue({ taskQueue }));
    await server.clock.advance(60_000);
    expect((await operator.listTaskQueues({})).taskQueues).toEqual([]);
  });

  test("with purge leaves one event, with who, why and how many", async () => {
    await add({ id: "a" }, { id: "b" }, { id: "c" });
    await last(operator.deleteTaskQueue({ taskQueue, purge: true, action: alice }));
    expect((await operator.listEvents({})).events).toMatchObject([
      { call: "DeleteTaskQueue", actor: "alice", reason: "because", taskQueue, changed: 3n },
    ]);
    expect((await operator.listEvents({ taskQueue })).events).toHaveLength(1);
  });

  test("repeated with its request id, it leaves alone what was added since", async () => {
    await add({ id: "a" });
    const call = { taskQueue, purge: true, action: { requestId: "once" } };
    await last(operator.deleteTaskQueue(call));
    await add({ id: "b" });
    expect(await last(operator.deleteTaskQueue(call))).toMatchObject({ done: true });
    expect(await stateOf("b")).toBe(TaskState.READY);
  });
});

describe("workers", () => {
  test("are listed while they live or hold tasks, and described with what they hold", async () => {
    await add({ id: "a" });
    await poll({ worker: { workerId: "w", buildId: "v1" }, lease: seconds(3_600) });
    await poll({ worker: { workerId: "v" } });
    expect((await operator.listWorkers({})).workers).toMatchObject([
      { workerId: "v", live: true, started: 0 },
      { workerId: "w", live: true, started: 1, buildId: "v1" },
    ]);
    await server.clock.advance(20_000);
    expect((await operator.listWorkers({ taskQueue })).workers).toMatchObject([{ workerId: "w", live: false }]);
    const { worker } = await operator.describeWorker({ workerId: "w" });
    expect(worker).toMatchObject({ live: false, heldTasks: [{ id: "a", type: "t", attempt: 1 }] });
    expect(await refusal(operator.describeWorker({ workerId: "v" }))).toBe("WORKER_NOT_FOUND");
  });

  test("one that is drained takes nothing new, also after a restart, and keeps what it has", async () => {
    await add({ id: "a" });
    const [task] = await poll();
    const waiting = workers.pollTasks({ worker: { workerId: "w" }, taskQueues: [taskQueue] });
    await server.clock.settle();
    await operator.drainWorker({ workerId: "w", action: alice });
    expect(await waiting).toMatchObject({ drainRequested: true, tasks: [] });
    await server.restart();
    await add({ id: "b" });
    expect(await poll()).toEqual([]);
    const renewal = await workers.renewLeases({ worker: { workerId: "w" }, tokens: [task!.token] });
    expect(renewal).toMatchObject({ drainRequested: true, lostTokens: [] });
    expect(await refusal(operator.drainWorker({ workerId: "nobody" }))).toBe("WORKER_NOT_FOUND");
  });
});

describe("fallback", () => {
  const fallback = { taskQueue: { name: "pool" } };
  const pool = { name: "pool", kind: TaskQueueKind.ACTIVITY };

  test("tasks of a queue whose worker has gone move after 10 s", async () => {
    await poll();
    await add({ id: "a", fallback });
    await server.clock.advance(15_000 + 9_800);
    expect((await describeQueue()).counts).toMatchObject({ ready: 1n });
    await server.clock.advance(500);
    expect((await describeQueue()).counts).toMatchObject({ ready: 0n });
    expect(ids(await poll({ taskQueues: [pool] }))).toEqual(["a"]);
  });

  test("after a restart, workers have 10 s to make themselves known", async () => {
    await poll();
    await add({ id: "a", fallback });
    await server.restart();
    await server.clock.advance(9_900);
    expect((await describeQueue()).counts).toMatchObject({ ready: 1n });
    await server.clock.advance(300);
    expect((await describeQueue()).counts).toMatchObject({ ready: 0n });
    expect((await describeQueue(pool)).counts).toMatchObject({ ready: 1n });
  });

  test("a worker that is too busy to poll after a restart serves its queue all the same", async () => {
    await add({ id: "at work" });
    const [task] = await poll({ maxTasks: 1 });
    await add({ id: "waits", fallback });
    await server.restart();
    for (let seconds = 0; seconds < 40; seconds += 5) {
      await workers.renewLeases({ worker: { workerId: "w" }, tokens: [task!.token] });
      await server.clock.advance(5_000);
    }
    expect(await describeQueue()).toMatchObject({ counts: { ready: 1n }, workers: [{ workerId: "w", started: 1 }] });
    expect((await describeQueue(pool)).counts).toMatchObject({ ready: 0n });
  });

  test("tasks of a queue that its worker polls no more move, though it lives and polls another", async () => {
    await poll({ taskQueues: [taskQueue, other], wait: seconds(0) });
    await add({ id: "a", fallback }, { id: "b", taskQueue: other, fallback });
    await poll({ taskQueues: [taskQueue] });
    const pollsTheOther = async (ms: number) => {
      for (let passed = 0; passed < ms; passed += 5_000) {
        await server.clock.advance(5_000);
        await poll({ taskQueues: [taskQueue], wait: seconds(0) });
      }
    };
    await pollsTheOther(15_000);
    expect((await describeQueue(other)).workers).toEqual([]);
    expect((await describeQueue(other)).reasons).toMatchObject([{ reason: WaitReason.NO_WORKERS, count: 1n }]);
    expect((await describeQueue()).workers).toMatchObject([{ workerId: "w" }]);
    await pollsTheOther(15_000);
    expect(ids(await poll({ taskQueues: [pool], worker: { workerId: "v" } }))).toEqual(["b"]);
  });

  test("a busy worker serves the queues that it names as it renews", async () => {
    await poll({ taskQueues: [other], wait: seconds(0) });
    await add({ id: "waits", taskQueue: other, fallback });
    await workers.shutdownWorker({ workerId: "w" });
    for (let passed = 0; passed < 40; passed += 5) {
      await workers.renewLeases({ worker: { workerId: "busy" }, taskQueues: [other] });
      await server.clock.advance(5_000);
    }
    expect((await describeQueue(other)).workers).toMatchObject([{ workerId: "busy" }]);
    expect((await describeQueue(pool)).counts).toMatchObject({ ready: 0n });
  });

  test("a task for a worker that has said that it goes moves 10 s later, and at once where it comes later still", async () => {
    await poll();
    await workers.shutdownWorker({ workerId: "w" });
    await add({ id: "a", fallback });
    await server.clock.advance(10_200);
    await add({ id: "b", fallback });
    await server.clock.advance(1);
    expect(ids(await poll({ taskQueues: [pool], worker: { workerId: "v" } }))).toEqual(["a", "b"]);
  });

  test("a released task may ask for its fallback", async () => {
    await add({ id: "a", fallback });
    const [task] = await poll();
    await workers.respondTasks({
      answers: [{ token: task!.token, answer: { case: "released", value: { toFallback: true } } }],
    });
    expect(ids(await poll({ taskQueues: [pool] }))).toEqual(["a"]);
  });

  test("a task that was not started in time moves, too", async () => {
    await add({ id: "a", fallback, timeouts: { scheduleToStart: seconds(2) } });
    await poll({ maxTasks: 1, worker: { workerId: "x", registrations: { activityTypes: ["u"] } } });
    await server.clock.advance(2_100);
    expect(ids(await poll({ taskQueues: [pool] }))).toEqual(["a"]);
  });
});

describe("events, namespaces and backups", () => {
  test("what operators did is kept: who, when, why, and to how many tasks", async () => {
    await add({ id: "a" }, { id: "b" });
    await operator.pauseTaskQueue({ taskQueue, action: alice });
    await last(operator.purgeTasks({ bulk: { filter: { taskQueue } }, action: alice }));
    await operator.pauseTaskQueue({ taskQueue: other, action: { actor: "bob" } });
    const { events } = await operator.listEvents({});
    expect(events).toMatchObject([
      { call: "PauseTaskQueue", actor: "bob", taskQueue: other },
      { call: "PurgeTasks", actor: "alice", reason: "because", changed: 2n },
      { call: "PauseTaskQueue", actor: "alice", taskQueue },
    ]);
    expect(JSON.parse(events[2]!.requestJson)).toEqual({
      taskQueue: { name: "q", kind: "TASK_QUEUE_KIND_ACTIVITY" },
    });
    const first = await operator.listEvents({ taskQueue: other, pageSize: 1 });
    expect(first.events.map(({ actor }) => actor)).toEqual(["bob"]);
  });

  test("a namespace is described with what is in it", async () => {
    await operator.createNamespace({ name: "team", action: alice });
    await tasks.addTasks({ namespace: "team", tasks: [{ taskQueue, type: "t" }] });
    expect(await operator.describeNamespace({ name: "team" })).toMatchObject({ taskQueues: 1n, counts: { ready: 1n } });
    expect(await refusal(operator.describeNamespace({ name: "none" }))).toBe("NAMESPACE_NOT_FOUND");
  });

  test("a copy is written beside the running server, and never over another file", async () => {
    const folder = mkdtempSync(join(tmpdir(), "tq-backup-"));
    try {
      await add({ id: "a" });
      const path = join(folder, "copy.db");
      const replies = [];
      for await (const reply of operator.backupServer({ path, action: alice })) replies.push(reply);
      expect(replies.at(-1)).toMatchObject({ done: true, pagesRemaining: 0n });
      expect(Number(replies.at(-1)!.bytes)).toBeGreaterThan(0);
      expect(existsSync(path)).toBe(true);
      const { events } = await operator.listEvents({});
      expect(events[0]).toMatchObject({ call: "BackupServer", actor: alice.actor });
      const again = (async () => {
        for await (const _ of operator.backupServer({ path }));
      })();
      expect(await refusal(again)).toBe("INVALID_FIELD");
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
