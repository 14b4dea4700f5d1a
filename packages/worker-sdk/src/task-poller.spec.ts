import { afterEach, expect, test } from "vitest";
import { decodePayload, encodePayload, type PayloadCodec } from "@tq/client";
import { TaskQueueKind } from "@tq/proto";
import { Code, FakeServer, refusal } from "../test/fake-server.ts";
import { ManualClock, settle } from "../test/manual-clock.ts";
import { AnswerResult } from "@tq/proto";
import type { CancelledFailure } from "./failure.ts";
import type { TaskBatch } from "./task-batch.ts";
import { TaskPoller } from "./task-poller.ts";
import type { TaskPollerOptions } from "./task-poller-options.ts";

const workflowQueue = { name: "q", kind: TaskQueueKind.WORKFLOW };
const running: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const stop of running.splice(0)) await stop();
});

/** A poller on a server in memory, iterated by hand. Stopped, and looked over for leaks, after the test. */
async function rig(options: Partial<TaskPollerOptions> = {}) {
  const clock = new ManualClock();
  const server = new FakeServer(clock);
  const warnings: string[] = [];
  const warn = (_fields: object, message: string) => void warnings.push(message);
  let ids = 0;
  const poller = await TaskPoller.create({
    taskQueue: "q",
    kind: "workflow",
    types: ["advance"],
    transport: server.transport,
    clock,
    logger: { debug() {}, info() {}, warn, error: warn },
    newId: () => `id${++ids}`,
    random: () => 1,
    ...options,
  });
  const iterator = poller[Symbol.asyncIterator]();
  const next = async (): Promise<TaskBatch> => {
    const batch = iterator.next();
    await settle();
    const { value } = await batch;
    return value!;
  };
  const add = (id: string, args: unknown[] = []) => server.add(id, "advance", { taskQueue: workflowQueue, args });
  running.push(async () => {
    server.heal();
    const end = iterator.return!();
    await clock.advance(30_000);
    await end;
    expect(clock.pending).toBe(0);
  });
  await settle();
  return { clock, server, poller, iterator, next, add, warnings };
}

const ids = (batch: TaskBatch) => batch.tasks.map(({ info }) => info.taskId);

test("a batch is what has arrived since the last one; slots bound what is held, over all batches", async () => {
  const { server, next, add } = await rig({ maxConcurrentTasks: 3 });
  expect(server.polls).toMatchObject([
    { maxTasks: 3, taskQueues: [workflowQueue], worker: { registrations: { workflowTypes: ["advance"] } } },
  ]);
  for (const id of ["a", "b", "c", "d", "e"]) add(id, [id]);
  const first = await next();
  expect(ids(first)).toEqual(["a", "b", "c"]);
  expect(first.tasks[0]?.args).toEqual(["a"]);
  expect(server.polls.length).toBe(1);
  const [a, b, c] = first.tasks;
  a!.complete({ result: 1 });
  b!.fail(new Error("no"));
  expect((await first.flush()).map(({ task, status }) => [task, status])).toEqual([
    [a, "ACCEPTED"],
    [b, "ACCEPTED"],
  ]);
  await settle();
  const second = await next();
  expect(ids(second)).toEqual(["d", "e"]);
  expect(server.leased.size).toBe(3);
  // Of an earlier batch, and together with the later one.
  c!.release("not now", { toFallback: true });
  await second.respond(second.tasks.map((task) => ({ task, complete: undefined })));
  await first.flush();
  expect(server.answered("completed")).toBe("a d e");
  expect(server.answered("failed")).toBe("b");
  expect(server.answers.get("c")?.answer.value).toMatchObject({ reason: "not now", toFallback: true });
  expect(server.leased.size).toBe(0);
});

test("answers of a batch go out together, with the next poll where there is one to take them", async () => {
  const { server, next, add } = await rig({ maxConcurrentTasks: 2 });
  for (const id of ["a", "b"]) add(id);
  const batch = await next();
  await batch.respond([...batch].map((task) => ({ task, complete: undefined })));
  expect(server.responds).toEqual([]);
  // It does not wait for tasks: somebody waits for what became of the answers.
  expect(server.polls[1]).toMatchObject({ maxTasks: 2, answers: [{}, {}], wait: { seconds: 0n } });
  await settle();
  expect(server.polls[2]).toMatchObject({ maxTasks: 2, answers: [], wait: { seconds: 60n } });
});

test("it says how it does: what waits, what the caller has, what is on its way, and at last how the shutdown went", async () => {
  const { clock, server, poller, next, add } = await rig({ maxConcurrentTasks: 5 });
  const idle = { state: "RUNNING", slots: 5, slotsUsed: 0, waitingTasks: 0, openTasks: 0, answersUnderWay: 0 };
  expect(poller.getStatus()).toMatchObject({ ...idle, isServerAway: false, shutdown: undefined });
  for (const id of ["a", "b"]) add(id);
  const batch = await next();
  add("c");
  await settle();
  expect(poller.getStatus()).toMatchObject({ slotsUsed: 3, waitingTasks: 1, openTasks: 2 });
  const release = server.hold("RespondTasks");
  const releasePolls = server.hold("PollTasks");
  batch.tasks[0]!.complete();
  await settle();
  expect(poller.getStatus()).toMatchObject({ waitingTasks: 1, openTasks: 1, answersUnderWay: 1 });
  release();
  releasePolls();
  batch.tasks[1]!.complete();
  poller.shutdown();
  await clock.advance(20_000);
  expect(poller.getStatus()).toMatchObject({
    state: "STOPPED",
    openTasks: 0,
    shutdown: { givenBack: 0, answersLost: 0 },
  });
});

test("leases are renewed until each task is answered, and a cancel request is seen on the task", async () => {
  const { clock, server, next, add } = await rig();
  add("a");
  add("b");
  const [a, b] = (await next()).tasks;
  await clock.advance(60_000);
  expect(server.renews.at(-1)?.tokens.length).toBe(2);
  server.cancel("a", "too slow");
  await settle();
  expect((a!.cancellationSignal.reason as CancelledFailure).reason).toBe("CANCEL_REQUESTED");
  expect(b!.cancellationSignal.aborted).toBe(false);
  a!.fail(a!.cancellationSignal.reason);
  b!.complete();
  expect(() => b!.complete()).toThrow("answered once");
  await clock.advance(5_000);
  expect(server.answered("canceled")).toBe("a");
  expect(server.renews.at(-1)?.tokens.length).toBe(0);
});

test("a task whose lease is lost gives its slot back, and what is answered later is dropped, and logged once", async () => {
  const { clock, server, next, add, warnings } = await rig({ maxConcurrentTasks: 1 });
  add("a");
  const batch = await next();
  await clock.advance(1_000);
  server.lose("a");
  await clock.advance(1_000);
  const [a] = batch.tasks;
  expect((a!.cancellationSignal.reason as CancelledFailure).reason).toBe("LEASE_LOST");
  add("b");
  expect(ids(await next())).toEqual(["b"]);
  a!.complete();
  a!.complete();
  expect(await batch.flush()).toEqual([{ task: a, status: "LEASE_LOST" }]);
  expect(warnings.filter((line) => line.includes("dropped")).length).toBe(1);
  expect([...server.answers.keys()]).toEqual([]);
});

test("an answer that is refused leaves the task to be answered again, in its slot", async () => {
  const { server, next, add } = await rig({ maxConcurrentTasks: 1 });
  const error = { reason: "COMMAND_REFUSED", field: "completed.commands[0]", message: "no such queue" };
  server.decide = ({ answer }) => (answer.case === "completed" ? { result: AnswerResult.REFUSED, error } : undefined);
  add("a");
  add("b");
  const batch = await next();
  const [a] = batch.tasks;
  a!.complete();
  expect(await batch.flush()).toEqual([{ task: a, status: "REFUSED", error }]);
  await settle();
  // The poll that took the answer along brought a task for a slot that was not free after all.
  expect(server.answered("released")).toBe("b");
  a!.fail(new Error("then not"));
  expect(await batch.flush()).toEqual([{ task: a, status: "ACCEPTED" }]);
});

test("a task that cannot be decoded fails, and is in no batch", async () => {
  const { server, next, add } = await rig();
  server.add("bad", "advance", {
    taskQueue: workflowQueue,
    input: [{ contentType: "application/json", body: { case: "text", value: "{" } }],
  });
  add("good");
  expect(ids(await next())).toEqual(["good"]);
  await settle();
  expect(server.answered("failed")).toBe("bad");
});

test("a shutdown gives back what waits, lets the caller finish its batch, and ends the iteration", async () => {
  const { clock, server, poller, iterator, next, add } = await rig();
  add("a");
  add("b");
  const batch = await next();
  add("c");
  await settle();
  poller.shutdown();
  await settle();
  expect(server.answered("released")).toBe("c");
  expect(poller.getState()).toBe("STOPPING");
  batch.tasks[0]!.complete();
  await clock.advance(10_000);
  const { cancellationSignal } = batch.tasks[1]!;
  expect((cancellationSignal.reason as CancelledFailure).reason).toBe("WORKER_SHUTDOWN");
  const end = iterator.next();
  await clock.advance(5_000);
  expect(await end).toEqual({ done: true, value: undefined });
  expect(server.answered("completed")).toBe("a");
  expect(server.answered("released")).toBe("c b");
  expect(poller.getState()).toBe("STOPPED");
});

test("what is answered after the poller has given it back is dropped, and logged once, while that is on its way too", async () => {
  const { clock, server, poller, next, add, warnings } = await rig();
  for (const id of ["a", "b"]) add(id);
  const batch = await next();
  const [a, b] = batch.tasks;
  const letThrough = server.hold("RespondTasks");
  poller.shutdown();
  await clock.advance(15_000);
  expect(await batch.respond([{ task: a!, complete: undefined }])).toEqual([{ task: a, status: "LEASE_LOST" }]);
  letThrough();
  await settle();
  expect(server.answered("released")).toBe("a b");
  expect(poller.getState()).toBe("STOPPED");
  a!.complete();
  expect(await batch.respond([{ task: b!, complete: undefined }])).toEqual([{ task: b, status: "LEASE_LOST" }]);
  expect(warnings.filter((line) => line.includes("dropped")).length).toBe(2);
  expect(server.answered("completed")).toBe("");
});

test("leaving the loop gives back what is not answered at once", async () => {
  const clock = new ManualClock();
  const server = new FakeServer(clock);
  const poller = await TaskPoller.create({
    taskQueue: "q",
    kind: "workflow",
    types: ["advance"],
    transport: server.transport,
    clock,
  });
  for (const id of ["a", "b"]) server.add(id, "advance", { taskQueue: workflowQueue });
  for await (const batch of poller) {
    batch.tasks[0]?.complete();
    break;
  }
  expect(server.answered("completed")).toBe("a");
  expect(server.answered("released")).toBe("b");
  expect(poller.getState()).toBe("STOPPED");
  expect(clock.pending).toBe(0);
  expect(() => poller[Symbol.asyncIterator]()).toThrow("runs once");
});

test("while the server is away answers wait for it; a poller that stops before says that it does not know", async () => {
  const { clock, server, poller, next, add } = await rig();
  add("a");
  const batch = await next();
  const down = refusal(Code.Unavailable, "SHUTTING_DOWN");
  for (const call of ["PollTasks", "RespondTasks", "RenewLeases", "ShutdownWorker"] as const)
    server.failNext(call, down, 1_000);
  batch.tasks[0]!.complete();
  const flushed = batch.flush();
  await clock.advance(60_000);
  poller.shutdown();
  await clock.advance(10_000);
  expect(await flushed).toEqual([{ task: batch.tasks[0], status: "UNKNOWN" }]);
});

test("a server that refuses the poller from the start ends the iteration with its error", async () => {
  const { clock, server, iterator } = await rig();
  server.failNext("PollTasks", refusal(Code.NotFound, "NAMESPACE_NOT_FOUND"));
  const other = await TaskPoller.create({
    taskQueue: "q",
    kind: "activity",
    types: ["x"],
    transport: server.transport,
    clock,
    logger: { debug() {}, info() {}, warn() {}, error() {} },
  });
  await expect(other[Symbol.asyncIterator]().next()).rejects.toMatchObject({ reason: "NAMESPACE_NOT_FOUND" });
  expect(other.getState()).toBe("FAILED");
  void iterator;
});

test.each<[string, Partial<TaskPollerOptions>, string]>([
  ["no queue", { taskQueue: "" }, "taskQueue"],
  ["no such kind", { kind: "timer" as never }, "kind"],
  ["no types", { types: [] }, "types"],
  ["no slots", { maxConcurrentTasks: 0 }, "maxConcurrentTasks"],
])("%s is refused, naming the option", async (_what, options, field) => {
  const complete = { taskQueue: "q", kind: "workflow", types: ["advance"], ...options } as const;
  await expect(TaskPoller.create(complete)).rejects.toMatchObject({ code: "invalid_argument", fields: [{ field }] });
});

test("what codecs decode comes in a batch decoded, and answers go out encoded; a shutdown gives back what they still work on", async () => {
  const gates = [Promise.resolve(), Promise.withResolvers<void>()] as const;
  let decodes = 0;
  const codec: PayloadCodec = {
    encode: async (payloads) => payloads.map(({ body }) => encodePayload([body.value])),
    async decode(payloads) {
      await (decodes++ === 0 ? gates[0] : gates[1].promise);
      return payloads.map((payload) => encodePayload((decodePayload(payload) as unknown[])[0]));
    },
  };
  const { server, poller, next, add } = await rig({ payloadCodecs: [codec] });
  add("a", [["x"]]);
  const batch = await next();
  const [a] = batch.tasks;
  expect(a!.args).toEqual(["x"]);
  a!.complete({ result: "r" });
  expect(await batch.flush()).toMatchObject([{ status: "ACCEPTED" }]);
  const { answer } = server.answers.get("a")!;
  expect(answer.case === "completed" && decodePayload(answer.value.result)).toEqual(['"r"']);
  add("b", [["y"]]);
  await settle();
  poller.shutdown();
  gates[1].resolve();
  await settle();
  await settle();
  expect(server.answered("released")).toBe("b");
});

test.each<[field: string, answer: object]>([
  ["answers[1]", { cancel: true }],
  ["answers[1]", { complete: undefined, fail: new Error("no") }],
  ["answers[1].task", { task: {}, complete: undefined }],
])("an answer of a batch whose %s is wrong is refused, and none is given", async (field, wrong) => {
  const { server, next, add } = await rig();
  add("a");
  add("b");
  const batch = await next();
  const [a, b] = batch.tasks;
  const answers = [
    { task: a, complete: undefined },
    { task: b, ...wrong },
  ];
  await expect(batch.respond(answers as never)).rejects.toMatchObject({ fields: [{ field }] });
  await settle();
  expect(server.responds).toEqual([]);
  a!.complete();
  b!.complete();
});
