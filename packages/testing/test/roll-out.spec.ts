/* Two versions of a worker's code at work at once, over the wire: each task goes to one that can run it. */
import { createClient, type Client } from "@connectrpc/connect";
import { OperatorService, TaskQueueKind, TaskService, TaskState, WaitReason, WorkerService } from "@tq/proto";
import { TestServer } from "@tq/testing";
import { afterEach, beforeEach, expect, test } from "vitest";

const taskQueue = { name: "orders", kind: TaskQueueKind.ACTIVITY };
const builds = { v1: ["charge", "ship"], v2: ["charge", "notify"] } as const;

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

async function add(...types: readonly string[]): Promise<void> {
  await tasks.addTasks({ tasks: types.map((type, i) => ({ id: `${type}-${i}`, type, taskQueue })) });
}

/** What a worker of this version gets, answered at once. */
async function work(buildId: keyof typeof builds, maxTasks: number): Promise<readonly string[]> {
  const worker = { workerId: `of-${buildId}`, buildId, registrationsHash: buildId };
  const registrations = { activityTypes: [...builds[buildId]] };
  const { tasks: got } = await workers.pollTasks({
    worker: { ...worker, registrations },
    taskQueues: [taskQueue],
    maxTasks,
    wait: { seconds: 0n },
  });
  const answers = got.map(({ token }) => ({ token, answer: { case: "completed" as const, value: {} } }));
  if (answers.length > 0) await workers.respondTasks({ workerId: worker.workerId, answers });
  return got.map(({ id }) => id);
}

async function describeQueue() {
  const { taskQueues } = await operator.describeTaskQueue({ taskQueue });
  return taskQueues[0]!;
}

test("in a roll-out each task goes to a worker that can run it, in order among those that it can run", async () => {
  await work("v1", 1);
  await work("v2", 1);
  await add("charge", "ship", "notify", "charge", "charge", "ship", "notify");
  expect(await work("v2", 2)).toEqual(["charge-0", "notify-2"]);
  expect(await work("v1", 2)).toEqual(["ship-1", "charge-3"]);
  expect(await work("v1", 9)).toEqual(["charge-4", "ship-5"]);
  expect(await work("v2", 9)).toEqual(["notify-6"]);
});

test("a poll of the newer version that waits gets what the older one cannot run as it is added", async () => {
  await work("v1", 1);
  const waiting = workers.pollTasks({
    worker: { workerId: "of-v2", registrationsHash: "v2", registrations: { activityTypes: [...builds.v2] } },
    taskQueues: [taskQueue],
  });
  await server.clock.settle();
  await add("ship", "notify");
  expect((await waiting).tasks.map(({ id }) => id)).toEqual(["notify-1"]);
  expect(await work("v1", 9)).toEqual(["ship-0"]);
});

test("where the live workers differ is shown type by type, and what none of them can run waits without an attempt", async () => {
  await work("v1", 1);
  await work("v2", 1);
  expect((await describeQueue()).registrationDifferences).toMatchObject([
    { type: "notify", workerIdsWith: ["of-v2"], workerIdsWithout: ["of-v1"] },
    { type: "ship", workerIdsWith: ["of-v1"], workerIdsWithout: ["of-v2"] },
  ]);
  await add("ship", "ship", "charge");
  await workers.shutdownWorker({ workerId: "of-v1" });
  await server.clock.advance(16_000);
  expect(await work("v2", 9)).toEqual(["charge-2"]);
  const { reasons, registrationDifferences } = await describeQueue();
  expect(registrationDifferences).toEqual([]);
  expect(reasons).toMatchObject([{ reason: WaitReason.MISSING_TYPE, count: 2n }]);
  expect(reasons[0]?.hint).toContain("ship");
  await server.clock.advance(3_600_000);
  const { tasks: found } = await tasks.getTasks({ ids: ["ship-0"] });
  expect(found).toMatchObject([{ state: TaskState.READY, attempt: 0, failedAttempts: [] }]);
  expect(await work("v1", 9)).toEqual(["ship-0", "ship-1"]);
});
