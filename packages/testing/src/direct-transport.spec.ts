import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { createServer, syncedAtOnce, type Server } from "@tq/matching";
import {
  AddTasksResponseSchema,
  NewTaskSchema,
  OperatorService,
  TaskQueueKind,
  TaskService,
  TaskState,
  WorkerService,
} from "@tq/proto";
import { BadRequestSchema, ErrorInfoSchema } from "@tq/proto/google/rpc";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DirectTransport } from "./direct-transport.ts";
import { ManualClock } from "./manual-clock.ts";

const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const clock = new ManualClock();
let server: Server;
let direct: ReturnType<typeof services>;
let overPort: ReturnType<typeof services>;
let dataDir: string;
/** Called as a commit of the server has begun, in the same round of the event loop. */
let duringCommit = () => {};

const services = (transport: Transport) => ({
  tasks: createClient(TaskService, transport),
  workers: createClient(WorkerService, transport),
  operator: createClient(OperatorService, transport),
});

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "tq-direct-transport-"));
  const { soon } = clock;
  clock.soon = (commit) =>
    soon(() => {
      commit();
      duringCommit();
    });
  // A real disk takes a while now and then, which the clock knows nothing of.
  server = createServer({ port: 0, dataDir, logger: silent, clock, logCalls: syncedAtOnce });
  await server.start();
  direct = services(new DirectTransport(server, clock));
  overPort = services(createConnectTransport({ baseUrl: server.url, httpVersion: "1.1" }));
});
afterAll(async () => {
  await server.stop();
  await rm(dataDir, { recursive: true });
});

const queue = (name: string) => ({ name, kind: TaskQueueKind.ACTIVITY });
const task = (id: string, taskQueue = queue("q")) => ({ id, taskQueue, type: "t" });
const worker = { workerId: "w" };

/** Resolves after so many turns of promises. */
async function afterTurns(turns: number): Promise<void> {
  for (let i = 0; i < turns; i++) await Promise.resolve();
}

/** All that a caller can tell of an error. */
async function refused(call: Promise<unknown>): Promise<unknown> {
  const error = ConnectError.from(
    await call.then(
      () => new Error("not refused"),
      (reason: unknown) => reason,
    ),
  );
  return {
    code: error.code,
    message: error.rawMessage,
    badRequest: error.findDetails(BadRequestSchema),
    errorInfo: error.findDetails(ErrorInfoSchema),
    cause: error.cause,
  };
}

describe("answers and refuses as a port does", () => {
  test.each<[string, (calls: typeof direct) => Promise<unknown>]>([
    ["a task without a type", async ({ tasks }) => tasks.addTasks({ tasks: [{ id: "a", taskQueue: queue("q") }] })],
    ["a task without a queue", async ({ tasks }) => tasks.addTasks({ tasks: [{ id: "a", type: "t" }] })],
    ["an unknown namespace", async ({ tasks }) => tasks.getTasks({ namespace: "nowhere", ids: ["a"] })],
    ["a poll of no queue", async ({ workers }) => workers.pollTasks({ worker, maxTasks: 1 })],
    ["a renewal by nobody", async ({ workers }) => workers.renewLeases({ tokens: [new Uint8Array([1])] })],
    ["a token that is none", async ({ workers }) => workers.renewLeases({ worker, tokens: [new Uint8Array([1])] })],
    ["a queue without a name", async ({ operator }) => operator.describeTaskQueue({})],
    ["a request that is too large", async ({ tasks }) => tasks.getTasks({ ids: ["a".repeat(40_000_000)] })],
    ["a worker that is not there", async ({ operator }) => operator.describeWorker({ workerId: "nobody" })],
  ])("%s", async (_name, call) => {
    const said = await refused(call(direct));
    expect(said).toEqual(await refused(call(overPort)));
    expect(said).toMatchObject({ cause: undefined });
  });

  test("a task comes back with all that it has", async () => {
    const input = [
      { contentType: "application/json", body: { case: "text" as const, value: "[1]" }, metadata: { a: "b" } },
    ];
    for (const [name, { tasks, workers }] of Object.entries({ direct, overPort })) {
      const of = queue(name);
      const added = await tasks.addTasks({
        tasks: [{ ...task(name, of), headers: { trace: "1" }, input, priority: 2 }],
      });
      expect(added).toEqual(create(AddTasksResponseSchema, { tasks: [{ id: name, run: 1 }] }));
      const poll = await workers.pollTasks({ worker, taskQueues: [of], maxTasks: 1, wait: { seconds: 0n } });
      expect(poll.tasks).toMatchObject([{ id: name, headers: { trace: "1" }, input, priority: 2 }]);
    }
  });
});

test("what the caller holds is not what the server got, nor the other way round", async () => {
  const sent = create(NewTaskSchema, { ...task("copied"), headers: { a: "1" } });
  await direct.tasks.addTasks({ tasks: [sent] });
  sent.headers["a"] = "2";
  const read = async () => (await direct.tasks.getTasks({ ids: ["copied"] })).tasks[0];
  const first = await read();
  expect(first?.headers).toEqual({ a: "1" });
  Object.assign(first ?? {}, { headers: {} });
  expect((await read())?.headers).toEqual({ a: "1" });
});

test("a poll whose caller leaves before its answer loses nothing: what it was given goes back at once", async () => {
  const of = queue("left");
  let [lost, got] = [0, 0];
  for (let turns = 0; turns < 60; turns++) {
    const id = `left-${turns}`;
    const leaving = new AbortController();
    await direct.tasks.addTasks({ tasks: [task(id, of)] });
    const polled = direct.workers.pollTasks({ worker, taskQueues: [of], maxTasks: 1 }, { signal: leaving.signal });
    const outcome = polled.then(
      ({ tasks }) => tasks.length,
      () => "left" as const,
    );
    // Where in the making of its answer the caller leaves is another place each time.
    duringCommit = () => void afterTurns(turns).then(() => leaving.abort());
    const expected = (await outcome) === "left" ? TaskState.READY : TaskState.STARTED;
    if (expected === TaskState.READY) lost += 1;
    else got += 1;
    duringCommit = () => {};
    await clock.advance(1);
    const { tasks } = await direct.tasks.getTasks({ ids: [id] });
    expect(tasks[0]?.state).toBe(expected);
    await direct.tasks.cancelTasks({ ids: [id], force: true });
  }
  expect([lost > 0, got > 0]).toEqual([true, true]);
});

test("what cannot be written down is the caller's fault", async () => {
  const call = direct.tasks.getTasks({ ids: ["a"], wait: { seconds: 1.5 as never } });
  await expect(call).rejects.toMatchObject({ code: Code.InvalidArgument });
});

test("a call that was given up before it began is not made", async () => {
  const made = direct.tasks.addTasks({ tasks: [task("never")] }, { signal: AbortSignal.abort() });
  await expect(made).rejects.toMatchObject({ code: Code.Canceled });
  expect((await direct.tasks.getTasks({ ids: ["never"] })).tasks).toEqual([]);
});
