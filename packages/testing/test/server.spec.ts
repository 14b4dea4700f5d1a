import { create } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient, type Client } from "@connectrpc/connect";
import {
  AnswerResult,
  NewTaskSchema,
  OperatorService,
  TaskQueueKind,
  TaskService,
  TaskState,
  WaitFor,
  WorkerService,
  type DispatchedTask,
  type NewTask,
  type PollTasksRequest,
} from "@tq/proto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { PollTasksRequestSchema } from "@tq/proto";
import { TestServer } from "@tq/testing";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

let server: TestServer;
let tasks: Client<typeof TaskService>;
let workers: Client<typeof WorkerService>;
let operators: Client<typeof OperatorService>;

function connect(): void {
  tasks = createClient(TaskService, server.transport);
  workers = createClient(WorkerService, server.transport);
  operators = createClient(OperatorService, server.transport);
}
beforeEach(async () => {
  server = await TestServer.start();
  connect();
});
afterEach(async () => server.stop());

const queue = { name: "q", kind: TaskQueueKind.ACTIVITY };
const flows = { name: "flows", kind: TaskQueueKind.WORKFLOW };

function task(id: string, more: Exclude<MessageInitShape<typeof NewTaskSchema>, NewTask> = {}): NewTask {
  return create(NewTaskSchema, { id, taskQueue: queue, type: "t", ...more });
}

async function add(...list: readonly NewTask[]): Promise<void> {
  await tasks.addTasks({ tasks: [...list] });
}

type PollInit = Exclude<MessageInitShape<typeof PollTasksRequestSchema>, PollTasksRequest>;

/** A poll that waits a minute, unless told otherwise. */
async function poll(more: PollInit = {}): Promise<readonly DispatchedTask[]> {
  return (await workers.pollTasks({ worker: { workerId: "w" }, taskQueues: [queue], maxTasks: 10, ...more })).tasks;
}

const now = { wait: { seconds: 0n } };

async function complete(...got: readonly DispatchedTask[]): Promise<readonly AnswerResult[]> {
  const answers = got.map(({ token }) => ({ token, answer: { case: "completed" as const, value: {} } }));
  return (await workers.respondTasks({ workerId: "w", answers })).statuses.map(({ result }) => result);
}

async function stateOf(id: string): Promise<TaskState | undefined> {
  return (await tasks.getTasks({ ids: [id] })).tasks[0]?.state;
}

/** Whether it has come to rest with an answer. */
async function settled<Value>(promise: Promise<Value>): Promise<Value | "waits"> {
  await server.clock.settle();
  return Promise.race([promise, Promise.resolve("waits" as const)]);
}

describe("dispatch", () => {
  test("a waiting poll gets a task as it is added", async () => {
    const waiting = poll();
    expect(await settled(waiting)).toBe("waits");
    await add(task("a"));
    expect((await waiting).map(({ id, attempt }) => [id, attempt])).toEqual([["a", 1]]);
  });

  test("a poll never brings more than its free slots, over all its queues", async () => {
    await add(
      ...["a", "b", "c"].map((id) => task(id)),
      ...["d", "e", "f"].map((id) => task(id, { taskQueue: { ...queue, name: "r" } })),
    );
    const both = { taskQueues: [queue, { ...queue, name: "r" }], maxTasks: 4, ...now };
    expect(await poll(both)).toHaveLength(4);
    expect(await poll(both)).toHaveLength(2);
  });

  test("workers that wait for the same queue share a batch evenly", async () => {
    const waiting = ["1", "2", "3"].map(async (id) => poll({ worker: { workerId: id } }));
    await server.clock.settle();
    await add(...Array.from({ length: 6 }, (_, i) => task(`t${i}`)));
    expect((await Promise.all(waiting)).map((got) => got.length)).toEqual([2, 2, 2]);
  });

  test("a poll that finds nothing is answered empty when its time is over", async () => {
    const waiting = poll({ wait: { seconds: 20n } });
    await server.clock.advance(15_000);
    expect(await settled(waiting)).toBe("waits");
    await server.clock.advance(6_000);
    expect(await waiting).toEqual([]);
  });

  test("a task goes only to a worker that has its type", async () => {
    const worker = (id: string, type: string) => ({
      workerId: id,
      registrationsHash: type,
      registrations: { activityTypes: [type] },
    });
    await add(task("a", { type: "x" }));
    expect(await poll({ worker: worker("1", "y"), ...now })).toEqual([]);
    expect(await poll({ worker: worker("2", "x"), ...now })).toHaveLength(1);
  });

  test("a worker of which only the hash is known is asked for its registrations", async () => {
    const answer = await workers.pollTasks({ worker: { workerId: "w", registrationsHash: "h" }, taskQueues: [queue] });
    expect(answer.registrationsWanted).toBe(true);
  });

  test("an answer stays under max_reply_bytes, with fewer tasks", async () => {
    await server.stop();
    server = await TestServer.start({ maxReplyBytes: 256 * 1024 });
    connect();
    const input = [{ body: { case: "bytes" as const, value: new Uint8Array(50 * 1024) } }];
    await add(...Array.from({ length: 10 }, (_, i) => task(`t${i}`, { input })));
    const got = await poll();
    expect(got.length).toBe(3);
    expect((await poll()).length).toBe(3);
  });

  test("a delayed task comes when its time has come", async () => {
    const waiting = poll();
    await add(task("a", { startDelay: { seconds: 10n } }));
    expect(await stateOf("a")).toBe(TaskState.SCHEDULED);
    await server.clock.advance(9_900);
    expect(await settled(waiting)).toBe("waits");
    await server.clock.advance(200);
    expect(await waiting).toHaveLength(1);
  });
});

describe("leases", () => {
  test("a lease that is not renewed ends, and the task comes back with the next attempt", async () => {
    await add(task("a"));
    const [first] = await poll({ lease: { seconds: 5n } });
    await server.clock.advance(5_200);
    expect((await tasks.getTasks({ ids: ["a"] })).tasks[0]!.failedAttempts[0]!.failure!.type).toBe("WorkerLost");
    await server.clock.advance(2_000);
    const [second] = await poll();
    expect([first!.attempt, second!.attempt]).toEqual([1, 2]);
    expect(await complete(first!)).toEqual([AnswerResult.LEASE_LOST]);
    expect(await complete(second!)).toEqual([AnswerResult.ACCEPTED]);
    expect(await complete(second!)).toEqual([AnswerResult.ALREADY_ANSWERED]);
  });

  test("a renewed lease holds", async () => {
    await add(task("a"));
    const [got] = await poll({ lease: { seconds: 5n } });
    for (let i = 0; i < 5; i++) {
      await server.clock.advance(4_000);
      expect((await workers.renewLeases({ worker: { workerId: "w" }, tokens: [got!.token] })).lostTokens).toEqual([]);
    }
    expect(await complete(got!)).toEqual([AnswerResult.ACCEPTED]);
  });

  test("a delivery that the worker does not name is not renewed", async () => {
    await add(task("a"), task("b"));
    const [a, b] = await poll({ lease: { seconds: 5n } });
    for (let i = 0; i < 3; i++) {
      await server.clock.advance(2_000);
      await workers.renewLeases({ worker: { workerId: "w" }, tokens: [a!.token] });
    }
    expect(await complete(a!, b!)).toEqual([AnswerResult.ACCEPTED, AnswerResult.LEASE_LOST]);
  });

  test("a lease survives a restart of the server, and has one full length from then", async () => {
    await add(task("a"));
    const [got] = await poll({ lease: { seconds: 30n } });
    await server.clock.advance(29_000);
    await server.restart();
    connect();
    await server.clock.advance(29_000);
    expect(await poll({ worker: { workerId: "other" }, ...now })).toEqual([]);
    expect(await complete(got!)).toEqual([AnswerResult.ACCEPTED]);
  });

  test("a repeated poll is answered with what it was given, also after a restart", async () => {
    await add(task("a"), task("b"));
    const first = await poll({ pollId: "p1" });
    expect(first).toHaveLength(2);
    await complete(first[0]!);
    const again = await poll({ pollId: "p1" });
    expect(again.map(({ token }) => token)).toEqual([first[1]!.token]);
    await server.restart();
    connect();
    expect((await poll({ pollId: "p1" })).map(({ id }) => id)).toEqual(["b"]);
  });

  test("a repeated poll is answered after a restart though the server knows only the hash of its registrations", async () => {
    await add(task("a"));
    const registered = { workerId: "w", registrationsHash: "h", registrations: { activityTypes: ["t"] } };
    const [got] = await poll({ pollId: "p", worker: registered });
    await server.restart();
    connect();
    const again = await poll({ pollId: "p", worker: { workerId: "w", registrationsHash: "h" } });
    expect(again.map(({ token }) => token)).toEqual([got!.token]);
  });

  test("a poll with the id of one that waits ends the first", async () => {
    const first = poll({ pollId: "p" }).catch((error: unknown) => ConnectError.from(error).code);
    await server.clock.settle();
    const second = poll({ pollId: "p" });
    expect(await first).toBe(Code.Aborted);
    await add(task("a"));
    expect(await second).toHaveLength(1);
  });

  test("what a worker does not mention in time comes back, three times free, and then costs an attempt", async () => {
    await add(task("a"));
    const attempts: number[] = [];
    for (let i = 0; i < 5; i++) {
      const [got] = await poll({ confirmWithin: { seconds: 5n }, pollId: `p${i}` });
      attempts.push(got!.attempt);
      await server.clock.advance(6_500);
    }
    expect(attempts).toEqual([1, 1, 1, 1, 2]);
  });

  test("a restart uses no attempt of what was on its way: it comes back a whole confirm_within later, free as ever", async () => {
    await add(task("a"));
    for (let i = 0; i < 3; i++) {
      await poll({ confirmWithin: { seconds: 5n }, pollId: `p${i}`, lease: { seconds: 3_600n } });
      await server.clock.advance(4_000);
      await server.restart();
      connect();
      await server.clock.advance(4_900);
      expect(await stateOf("a")).toBe(TaskState.STARTED);
      await server.clock.advance(300);
      expect(await stateOf("a")).toBe(TaskState.READY);
    }
    expect(await poll()).toMatchObject([{ attempt: 1 }]);
  });

  test("what was mentioned before a restart need not be mentioned again", async () => {
    await add(task("a"), task("b"), task("c"));
    const asked = { confirmWithin: { seconds: 5n }, lease: { seconds: 3_600n }, maxTasks: 1 };
    await poll({ ...asked, pollId: "by its poll" });
    const [byToken] = await poll({ ...asked, receivedPollIds: ["by its poll"] });
    await workers.renewLeases({ worker: { workerId: "w" }, tokens: [byToken!.token] });
    await poll({ ...asked, pollId: "not at all" });
    await server.restart();
    connect();
    await server.clock.advance(20_000);
    expect([await stateOf("a"), await stateOf("b"), await stateOf("c")]).toEqual([
      TaskState.STARTED,
      TaskState.STARTED,
      TaskState.READY,
    ]);
  });

  test("a mentioned poll keeps its tasks", async () => {
    await add(task("a"));
    await poll({ confirmWithin: { seconds: 5n }, pollId: "p" });
    await workers.renewLeases({ worker: { workerId: "w" }, receivedPollIds: ["p"] });
    await server.clock.advance(20_000);
    expect(await stateOf("a")).toBe(TaskState.STARTED);
  });

  test("a heartbeat by its token confirms a delivery, whose worker may be gone before it could", async () => {
    await add(task("a"), task("b"));
    const [a] = await poll({ pollId: "p", confirmWithin: { seconds: 3n }, lease: { seconds: 10n } });
    for (let seconds = 0; seconds < 30; seconds += 2) {
      await server.clock.advance(2_000);
      expect((await workers.heartbeatTasks({ heartbeats: [{ token: a!.token }] })).lostTokens).toEqual([]);
    }
    expect([await stateOf("a"), await stateOf("b")]).toEqual([TaskState.STARTED, TaskState.READY]);
  });

  test("a poll that its worker cannot read is ended if it waits, and keeps what it has brought", async () => {
    const heldUp = (...heldUpPollIds: string[]) => workers.renewLeases({ worker: { workerId: "w" }, heldUpPollIds });
    const waiting = poll({ pollId: "waits" });
    expect(await settled(waiting)).toBe("waits");
    await heldUp("waits", "never heard of");
    expect(await settled(waiting)).toEqual([]);
    await add(task("a"));
    expect(await stateOf("a")).toBe(TaskState.READY);
    // What one has brought stays, for longer than it would unconfirmed, and than its lease.
    const [got] = await poll({ pollId: "brings", confirmWithin: { seconds: 5n }, lease: { seconds: 10n } });
    for (let seconds = 0; seconds < 60; seconds += 4) {
      await server.clock.advance(4_000);
      await heldUp("brings");
    }
    expect(await stateOf("a")).toBe(TaskState.STARTED);
    expect(await complete(got!)).toEqual([AnswerResult.ACCEPTED]);
    // It is nobody else's to keep.
    await add(task("b"));
    await poll({ pollId: "brings", worker: { workerId: "other" }, lease: { seconds: 10n } });
    for (let seconds = 0; seconds < 12; seconds += 4) {
      await server.clock.advance(4_000);
      await heldUp("brings");
    }
    expect(await stateOf("b")).not.toBe(TaskState.STARTED);
  });

  test("a worker that shuts down has its waiting polls answered empty, and gets nothing new", async () => {
    const waiting = poll();
    await server.clock.settle();
    await workers.shutdownWorker({ workerId: "w" });
    expect(await waiting).toEqual([]);
    await add(task("a"));
    expect(await poll(now)).toEqual([]);
  });
});

describe("answers", () => {
  test("a failed attempt is tried again after its back-off, with why it failed", async () => {
    await add(task("a"));
    const [got] = await poll();
    const failed = { case: "failed" as const, value: { failure: { type: "Oops", message: "no" } } };
    await workers.respondTasks({ workerId: "w", answers: [{ token: got!.token, answer: failed }] });
    expect(await stateOf("a")).toBe(TaskState.SCHEDULED);
    await server.clock.advance(1_100);
    const [again] = await poll();
    expect([again!.attempt, again!.lastFailure!.type]).toEqual([2, "Oops"]);
  });

  test("the last attempt's failure closes the task", async () => {
    await add(task("a", { retryPolicy: { maximumAttempts: 1 } }));
    const [got] = await poll();
    const failed = { case: "failed" as const, value: { failure: { type: "Oops", message: "no" } } };
    await workers.respondTasks({ workerId: "w", answers: [{ token: got!.token, answer: failed }] });
    const { tasks: found } = await tasks.getTasks({ ids: ["a"] });
    expect([found[0]!.state, found[0]!.outcome!.failure!.message]).toEqual([TaskState.FAILED, "no"]);
  });

  test("a released task keeps its attempt and goes before what was added after it", async () => {
    await add(task("a"), task("b"));
    const [a] = await poll({ maxTasks: 1 });
    await workers.respondTasks({ answers: [{ token: a!.token, answer: { case: "released", value: {} } }] });
    expect((await poll({ maxTasks: 1 })).map(({ id, attempt }) => [id, attempt])).toEqual([["a", 1]]);
  });

  test("one bad item never fails the others", async () => {
    await add(task("a"));
    const [got] = await poll();
    const { statuses } = await workers.respondTasks({
      answers: [
        { token: new Uint8Array([1, 2, 3]), answer: { case: "completed", value: {} } },
        { token: got!.token, answer: { case: "completed", value: {} } },
      ],
    });
    expect(statuses.map(({ result }) => result)).toEqual([AnswerResult.REFUSED, AnswerResult.ACCEPTED]);
    expect(statuses[0]!.error!.reason).toBe("MALFORMED_TOKEN");
  });

  test("answers may come with the next poll", async () => {
    await add(task("a"), task("b"));
    const [a] = await poll({ maxTasks: 1 });
    const answers = [{ token: a!.token, answer: { case: "completed" as const, value: {} } }];
    const reply = await workers.pollTasks({ worker: { workerId: "w" }, taskQueues: [queue], maxTasks: 1, answers });
    expect([reply.answerStatuses[0]!.result, reply.tasks[0]!.id]).toEqual([AnswerResult.ACCEPTED, "b"]);
  });
});

describe("workflow tasks", () => {
  test("the outcome of a task is added to the queue that it names, in one step", async () => {
    const onClose = { taskQueue: flows, type: "closed", context: { body: { case: "text" as const, value: '"c"' } } };
    await add(task("a", { onClose }));
    const [got] = await poll();
    const result = { body: { case: "text" as const, value: "42" } };
    await workers.respondTasks({ answers: [{ token: got!.token, answer: { case: "completed", value: { result } } }] });
    const [outcome] = await poll({ taskQueues: [flows] });
    expect(outcome!.id).toBe("a/closed/1");
    expect(outcome!.closedTask).toMatchObject({
      id: "a",
      run: 1,
      attempts: 1,
      outcome: { state: TaskState.COMPLETED, result },
    });
    expect(outcome!.closedTask!.context!.body.value).toBe('"c"');
  });

  test("commands are carried out with the answer, or not at all", async () => {
    await add(task("w", { taskQueue: flows }));
    await add(task("taken"));
    const [taken] = await poll();
    await complete(taken!);
    const [got] = await poll({ taskQueues: [flows] });
    const activity = (id: string) => ({
      command: { case: "scheduleActivityTask" as const, value: { task: task(id, { type: "act" }) } },
    });
    const answer = async (...ids: string[]) => {
      const value = { commands: ids.map((id) => activity(id)) };
      const { statuses } = await workers.respondTasks({
        answers: [{ token: got!.token, answer: { case: "completed", value } }],
      });
      return statuses[0]!;
    };
    const refused = await answer("x", "taken");
    expect([refused.result, refused.error!.commandIndex, refused.error!.reason]).toEqual([
      AnswerResult.REFUSED,
      1,
      "COMMAND_REFUSED",
    ]);
    expect([await stateOf("x"), await stateOf("w")]).toEqual([undefined, TaskState.STARTED]);
    expect((await answer("x", "y")).result).toBe(AnswerResult.ACCEPTED);
    expect((await poll()).map(({ id }) => id)).toEqual(["x", "y"]);
  });

  test("tasks of one serial key run one at a time, in order of adding", async () => {
    await add(...["a", "b", "c"].map((id) => task(id, { serialKey: "k" })), task("z"));
    expect((await poll()).map(({ id }) => id)).toEqual(["a", "z"]);
    expect(await poll(now)).toEqual([]);
    const { tasks: found } = await tasks.getTasks({ ids: ["a"] });
    expect(found[0]!.workerId).toBe("w");
  });
});

describe("repeats", () => {
  test("a call repeated with its request id does nothing twice, also after a restart and a removal", async () => {
    const request = { requestId: "r1", tasks: [task("a", { retention: { seconds: 0n } })] };
    const first = await tasks.addTasks(request);
    await complete(...(await poll()));
    expect(await stateOf("a")).toBeUndefined();
    await server.restart();
    connect();
    expect(await tasks.addTasks(request)).toEqual(first);
    expect(await poll(now)).toEqual([]);
  });

  test("a batch is refused as a whole, naming the task", async () => {
    await add(task("a"));
    await complete(...(await poll()));
    const refused = await tasks
      .addTasks({ tasks: [task("b"), task("a")] })
      .catch((error: unknown) => ConnectError.from(error));
    expect(refused).toMatchObject({ code: Code.AlreadyExists });
    expect((refused as ConnectError).message).toContain("tasks[1]");
    expect(await stateOf("b")).toBeUndefined();
  });
});

describe("cancel", () => {
  test("a held renewal hears of a cancel at once", async () => {
    await add(task("a"));
    const [got] = await poll();
    const worker = { workerId: "w" };
    const first = await workers.renewLeases({ worker, tokens: [got!.token] });
    const held = workers.renewLeases({
      worker,
      tokens: [got!.token],
      hold: { seconds: 30n },
      noticesSeen: first.noticesSeen,
    });
    expect(await settled(held)).toBe("waits");
    await tasks.cancelTasks({ ids: ["a"], reason: "enough" });
    expect((await held).cancelRequests.map(({ reason }) => reason)).toEqual(["enough"]);
    await workers.respondTasks({ answers: [{ token: got!.token, answer: { case: "canceled", value: {} } }] });
    expect(await stateOf("a")).toBe(TaskState.CANCELED);
  });

  test("with force, a started task closes at once and its token is revoked", async () => {
    await add(task("a"));
    const [got] = await poll();
    await tasks.cancelTasks({ ids: ["a"], force: true });
    expect(await stateOf("a")).toBe(TaskState.CANCELED);
    expect(await complete(got!)).toEqual([AnswerResult.LEASE_LOST]);
  });
});

describe("GetTasks", () => {
  test("waits until a task has closed, even if it is removed as it closes", async () => {
    await add(task("a", { retention: { seconds: 0n } }));
    const waiting = tasks.getTasks({ ids: ["a"], wait: { seconds: 30n } });
    expect(await settled(waiting)).toBe("waits");
    await complete(...(await poll()));
    expect((await waiting).tasks[0]).toMatchObject({ state: TaskState.COMPLETED, attempt: 1 });
  });

  test("waits until one of them has closed, or all", async () => {
    await add(task("a"), task("b"));
    const wait = { ids: ["a", "b"], wait: { seconds: 30n } };
    const [one, all] = [tasks.getTasks({ ...wait, waitFor: WaitFor.ANY_CLOSED }), tasks.getTasks(wait)];
    const [a, b] = await poll();
    expect([await settled(one), await settled(all)]).toEqual(["waits", "waits"]);
    await complete(a!);
    expect((await one).tasks.map(({ state }) => state)).toEqual([TaskState.COMPLETED, TaskState.STARTED]);
    expect(await settled(all)).toBe("waits");
    await complete(b!);
    expect((await all).tasks.map(({ state }) => state)).toEqual([TaskState.COMPLETED, TaskState.COMPLETED]);
  });

  test("answers tasks as they are when the time is over", async () => {
    await add(task("a"));
    const waiting = tasks.getTasks({ ids: ["a"], wait: { seconds: 5n } });
    expect(await settled(waiting)).toBe("waits");
    await poll();
    await server.clock.advance(6_000);
    expect((await waiting).tasks[0]).toMatchObject({ state: TaskState.STARTED, attempt: 1, workerId: "w" });
  });

  test("finds a task that was added on close by its id, however long", async () => {
    const id = "x".repeat(300);
    await add(task(id, { onClose: { taskQueue: flows, type: "closed" } }));
    await complete(...(await poll()));
    expect((await tasks.getTasks({ ids: [`${id}/closed/1`] })).tasks).toHaveLength(1);
  });
});

describe("queues", () => {
  test("a queue is there with its first use, and gone when it is empty and idle", async () => {
    await add(task("a", { retention: { seconds: 0n } }));
    expect((await operators.listTaskQueues({})).taskQueues.map(({ taskQueue }) => taskQueue!.name)).toEqual(["q"]);
    await complete(...(await poll()));
    await server.clock.advance(60_000);
    expect((await operators.listTaskQueues({})).taskQueues).toEqual([]);
  });
});
