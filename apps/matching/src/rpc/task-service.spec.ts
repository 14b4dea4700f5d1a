import { create, toBinary } from "@bufbuild/protobuf";
import {
  AddWarning,
  CancelStatus,
  FailureSchema,
  GetTasksResponseSchema,
  PayloadSchema,
  TaskQueueKind,
  TaskService,
  TaskState,
  WaitFor,
  WaitReason,
} from "@tq/proto";
import { taskQueueKey } from "@tq/matching-core";
import { ConnectError } from "@connectrpc/connect";
import { RetryInfoSchema } from "@tq/proto/google/rpc";
import { StoreError } from "@tq/storage";
import { describe, expect, it } from "vitest";
import { fakeActivityQueue, fakeNow, fakeQueue, fakeTask, fakeWorker } from "../../test/fake-matching.ts";
import { inMemory, refusalOf } from "../../test/in-memory.ts";
import { ShuttingDown } from "../matching/matching.ts";
import { encodePayload, noPayloads } from "../translation/payload-codec.ts";

const queue = { name: "q", kind: TaskQueueKind.ACTIVITY };
const seconds = (n: number) => ({ seconds: BigInt(n) });
/** A payload of so many bytes of text, as it is stored in a list. */
const stored = (bytes: number): Uint8Array => {
  const body = Buffer.alloc(bytes, "x");
  const varint = (value: number): number[] =>
    value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(Math.floor(value / 0x80))];
  const payload = Buffer.concat([Buffer.from([0x12, ...varint(bytes)]), body]);
  return Buffer.concat([Buffer.from(varint(payload.length)), payload]);
};
/** One of so many bytes of text, as a result is stored. */
const single = (bytes: number): Uint8Array =>
  encodePayload(create(PayloadSchema, { body: { case: "text", value: "x".repeat(bytes) } }));

describe("AddTasks", () => {
  it("adds to the default namespace where none is named, and makes ids that are missing", async () => {
    const { client, matching } = inMemory(TaskService);
    const reply = await client.addTasks({ tasks: [{ taskQueue: queue, type: "t" }] });
    expect(reply.tasks[0]?.id).toMatch(/^018bcfe5-6800-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(matching.adds[0]?.tasks[0]?.queue.namespace).toBe("default");
  });

  it("warns where the queue has live workers and none of them has the type, looking each time", async () => {
    const { client, matching } = inMemory(TaskService);
    const workers = [fakeWorker("w", { registrations: { activity: ["known"], workflow: [] } })];
    matching.activities.set(taskQueueKey(fakeActivityQueue("q")), {
      addsPerSecond: 0,
      dispatchesPerSecond: 0,
      workers,
    });
    const add = async () => {
      const reply = await client.addTasks({
        tasks: ["known", "unknown", "unknown"].map((type) => ({ taskQueue: queue, type })),
      });
      return reply.tasks.map((task) => task.warnings);
    };
    const missing = [AddWarning.NO_WORKER_FOR_TYPE];
    expect(await add()).toEqual([[], missing, missing]);
    workers.push(fakeWorker("takes everything"));
    expect(await add()).toEqual([[], [], []]);
  });

  it.each([
    ["task-id-taken", "AlreadyExists", "TASK_ID_TAKEN", ["tasks[1].id"]],
    ["duplicate-id", "InvalidArgument", "DUPLICATE_ID_IN_BATCH", ["tasks[1].id"]],
    ["too-many-types", "ResourceExhausted", "TOO_MANY_TYPES", ["tasks[1].type"]],
    ["request-id-reused", "InvalidArgument", "REQUEST_ID_REUSED", ["request_id"]],
    ["namespace-not-found", "NotFound", "NAMESPACE_NOT_FOUND", []],
    ["queue-draining", "FailedPrecondition", "TASK_QUEUE_DRAINING", ["tasks[1].task_queue"]],
    ["max-backlog", "ResourceExhausted", "MAX_BACKLOG", ["tasks[1].task_queue"]],
  ] as const)("says of the store's refusal %s where it is", async (reason, code, expected, fields) => {
    const { client, matching } = inMemory(TaskService);
    matching.onAdd = () => ({ verb: "add", refused: { reason, index: 1, subject: "x" } });
    const call = client.addTasks({ tasks: [{ taskQueue: queue, type: "t" }] });
    expect(await refusalOf(call)).toEqual({ code, reason: expected, fields });
  });

  it("names a reused request id as its caller does", async () => {
    const { client, matching } = inMemory(TaskService);
    const refused = { reason: "request-id-reused", index: 0, subject: "r\u0000activity" } as const;
    matching.onAdd = () => ({ verb: "add", refused });
    const call = client.addTasks({ tasks: [{ taskQueue: queue, type: "t" }] });
    await expect(call).rejects.toThrow('the request id "r" was used for another call');
  });

  it("says of a full queue when to try again", async () => {
    const { client, matching } = inMemory(TaskService);
    matching.onAdd = () => ({ verb: "add", refused: { reason: "max-backlog", index: 0, subject: "q" } });
    const call = client.addTasks({ tasks: [{ taskQueue: queue, type: "t" }] });
    const error = ConnectError.from(await call.catch((reason: unknown) => reason));
    expect(error.findDetails(RetryInfoSchema)).toMatchObject([{ retryDelay: { seconds: 1n } }]);
  });

  it("refuses an unknown namespace, and looks a known one up once", async () => {
    const { client, matching } = inMemory(TaskService);
    const tasks = [{ taskQueue: queue, type: "t" }];
    expect(await refusalOf(client.addTasks({ namespace: "nope", tasks }))).toMatchObject({
      reason: "NAMESPACE_NOT_FOUND",
    });
    expect(matching.adds).toEqual([]);
    for (let i = 0; i < 3; i++) await client.addTasks({ tasks });
    expect(matching.namespaceLookups).toBe(2);
  });

  it("normalises what the engine throws", async () => {
    const { client, matching, incidents } = inMemory(TaskService);
    const tasks = [{ taskQueue: queue, type: "t" }];
    const fail = (error: unknown): Promise<{ reason: string | undefined }> => {
      matching.onAdd = () => {
        throw error;
      };
      return refusalOf(client.addTasks({ tasks }));
    };
    expect(await fail(new ShuttingDown())).toMatchObject({ code: "Unavailable", reason: "SHUTTING_DOWN" });
    expect(incidents).toEqual([]);
    expect(await fail(new StoreError("unavailable", "disk full"))).toMatchObject({ reason: "STORE_UNAVAILABLE" });
    expect(await fail(new TypeError("x is undefined"))).toMatchObject({ code: "Internal", reason: "INTERNAL" });
    expect(incidents.map(({ call }) => call)).toEqual(["tq.v1.TaskService/AddTasks", "tq.v1.TaskService/AddTasks"]);
  });
});

describe("GetTasks", () => {
  it("waits as long as is asked for, a minute at most, and less than the caller does", async () => {
    const { client, matching } = inMemory(TaskService);
    await client.getTasks({ ids: ["a"] });
    await client.getTasks({ ids: ["a"], wait: seconds(5), waitFor: WaitFor.ANY_CLOSED });
    await client.getTasks({ ids: ["a"], wait: seconds(500) });
    await client.getTasks({ ids: ["a"], wait: seconds(60) }, { timeoutMs: 10_000 });
    const [now, five, minute, deadline] = matching.waits;
    expect(now).toMatchObject({ waitMs: 0, waitFor: "all" });
    expect(five).toMatchObject({ waitMs: 5_000, waitFor: "any" });
    expect(minute?.waitMs).toBe(60_000);
    expect(deadline?.waitMs).toBeGreaterThan(7_000);
    expect(deadline?.waitMs).toBeLessThanOrEqual(9_000);
  });

  it("answers in the request's order, with what is missing, and says why a task waits", async () => {
    const { client, matching } = inMemory(TaskService);
    matching.tasks.set("b", fakeTask("b"));
    matching.tasks.set(
      "a",
      fakeTask("a", { state: "completed", outcome: { state: "completed", closedAt: fakeNow, result: noPayloads } }),
    );
    const reply = await client.getTasks({ ids: ["a", "x", "b"] });
    expect(reply.tasks.map(({ id, state }) => [id, state])).toEqual([
      ["a", TaskState.COMPLETED],
      ["b", TaskState.READY],
    ]);
    expect(reply.tasks[0]?.outcome?.result).toBeDefined();
    expect(reply.tasks[1]?.reasons.map(({ reason }) => reason)).toEqual([WaitReason.NO_WORKERS]);
    expect(reply.missingIds).toEqual(["x"]);
  });

  it("stays under the largest reply, and names what did not fit", async () => {
    const { client, matching } = inMemory(TaskService, { maxReplyBytes: 10_000 });
    for (const id of ["a", "b", "c"]) matching.tasks.set(id, fakeTask(id, { input: stored(6_000) }));
    const reply = await client.getTasks({ ids: ["a", "b", "c"] });
    expect(reply.tasks.map(({ id }) => id)).toEqual(["a"]);
    expect(reply.omittedIds).toEqual(["b", "c"]);
    const without = await client.getTasks({ ids: ["a", "b", "c"], omitInput: true });
    expect(without.tasks.map(({ id, input }) => [id, input])).toEqual([
      ["a", []],
      ["b", []],
      ["c", []],
    ]);
  });

  it("leaves the inputs of a task out that is too large by itself, and only names one that is so without them", async () => {
    const { client, matching } = inMemory(TaskService, { maxReplyBytes: 10_000 });
    const outcome = { state: "completed", closedAt: fakeNow, result: single(11_000) } as const;
    matching.tasks.set("huge", fakeTask("huge", { state: "completed", outcome }));
    matching.tasks.set("small", fakeTask("small", { input: stored(10) }));
    matching.tasks.set(
      "large",
      fakeTask("large", { input: stored(6_000), fallback: { queueName: "f", input: stored(6_000) } }),
    );
    const reply = await client.getTasks({ ids: ["huge", "small", "large"] });
    expect(reply.tasks.map(({ id, input, fallback }) => [id, input.length, fallback?.input.length])).toEqual([
      ["small", 1, undefined],
      ["large", 0, 0],
    ]);
    expect(reply.tasks[1]?.fallback?.replaceInput).toBe(true);
    expect(reply.omittedIds).toEqual(["huge"]);
    expect(toBinary(GetTasksResponseSchema, reply).length).toBeLessThan(10_000);
  });

  it("shows how the largest of tasks closed, and leaves out what is handed on for it", async () => {
    const { client, matching } = inMemory(TaskService);
    const details = [{ body: { case: "text", value: "x".repeat(2_000_000) } }] as const;
    const encoded = toBinary(FailureSchema, create(FailureSchema, { type: "Broken", details: [...details] }));
    const failure = { type: "Broken", message: "", nonRetryable: false, encoded };
    const attempt = { run: 1, attempt: 1, workerId: "w", startedAt: fakeNow, failedAt: fakeNow, failure };
    const heartbeatDetails = single(524_000);
    const outcome = { state: "failed", closedAt: fakeNow, failure, heartbeatDetails } as const;
    const closedTask = {
      id: "other",
      run: 1,
      type: "t",
      queueName: "q",
      queueKind: "activity",
      outcome,
      attempts: 1,
      context: single(262_000),
    } as const;
    matching.tasks.set(
      "a",
      fakeTask("a", {
        state: "failed",
        input: stored(2_000_000),
        failedAttempts: Array.from({ length: 10 }, () => attempt),
        outcome,
        onClose: { queueName: "w", type: "t", context: single(262_000) },
        closedTask,
      }),
    );
    const reply = await client.getTasks({ ids: ["a"] });
    expect(toBinary(GetTasksResponseSchema, reply).length).toBeLessThan(3.5 * 1024 * 1024);
    const [task] = reply.tasks;
    expect(task?.outcome).toMatchObject({ failure: { details }, heartbeatDetails: {} });
    expect(task?.closedTask).toMatchObject({ id: "other", outcome: { failure: { type: "Broken", details: [] } } });
    expect([task?.input, task?.onClose?.context, task?.closedTask?.context]).toEqual([[], undefined, undefined]);
  });

  it("refuses no ids, too many of them, and empty ones", async () => {
    const { client } = inMemory(TaskService);
    expect(await refusalOf(client.getTasks({}))).toMatchObject({ reason: "INVALID_FIELD", fields: ["ids"] });
    expect(await refusalOf(client.getTasks({ ids: ["a", ""] }))).toMatchObject({ fields: ["ids[1]"] });
    expect(await refusalOf(client.getTasks({ ids: Array.from({ length: 1_001 }, String) }))).toMatchObject({
      reason: "TOO_MANY_ITEMS",
    });
  });
});

describe("ListTasks", () => {
  it("pages through all tasks with opaque tokens, without payloads unless asked", async () => {
    const { client, matching } = inMemory(TaskService);
    for (const id of ["a", "b", "c"]) matching.tasks.set(id, fakeTask(id, { input: stored(10) }));
    const first = await client.listTasks({ pageSize: 2 });
    expect(first.tasks.map(({ id, input }) => [id, input.length])).toEqual([
      ["a", 0],
      ["b", 0],
    ]);
    const second = await client.listTasks({ pageSize: 2, pageToken: first.nextPageToken, includePayloads: true });
    expect(second.tasks.map(({ id, input }) => [id, input.length])).toEqual([["c", 1]]);
    expect(second.nextPageToken).toBe("");
  });

  it("makes a page shorter where the tasks are large", async () => {
    const { client, matching } = inMemory(TaskService, { maxReplyBytes: 10_000 });
    for (const id of ["a", "b", "c"]) matching.tasks.set(id, fakeTask(id, { input: stored(4_000) }));
    const first = await client.listTasks({ includePayloads: true });
    expect(first.tasks.map(({ id }) => id)).toEqual(["a", "b"]);
    const second = await client.listTasks({ includePayloads: true, pageToken: first.nextPageToken });
    expect(second.tasks.map(({ id }) => id)).toEqual(["c"]);
  });

  it("leaves the input of a task out that is too large by itself, and only names one that is so without it", async () => {
    const { client, matching } = inMemory(TaskService, { maxReplyBytes: 10_000 });
    const outcome = { state: "completed", closedAt: fakeNow, result: single(11_000) } as const;
    matching.tasks.set("a", fakeTask("a", { input: stored(11_000) }));
    matching.tasks.set("b", fakeTask("b", { state: "completed", outcome }));
    matching.tasks.set("c", fakeTask("c", { input: stored(4_000) }));
    const page = await client.listTasks({ includePayloads: true });
    expect(page.tasks.map(({ id, input }) => [id, input.length])).toEqual([
      ["a", 0],
      ["c", 1],
    ]);
    expect([page.omittedIds, page.nextPageToken]).toEqual([["b"], ""]);
    const without = await client.listTasks({});
    expect(without.tasks.map(({ id }) => id)).toEqual(["a", "b", "c"]);
  });

  it("refuses what is not a page token, and what a filter cannot mean", async () => {
    const { client } = inMemory(TaskService);
    expect(await refusalOf(client.listTasks({ pageToken: "garbage" }))).toMatchObject({ fields: ["page_token"] });
    const filter = { states: [TaskState.UNSPECIFIED], priorities: [6], taskQueue: {}, idPrefix: "\n" };
    expect((await refusalOf(client.listTasks({ pageSize: 1_001, filter }))).fields.sort()).toEqual([
      "filter.id_prefix",
      "filter.priorities[0]",
      "filter.states[0]",
      "filter.task_queue.name",
      "page_size",
    ]);
  });

  it("finds the tasks of a build by its live workers, and none where there is none", async () => {
    const { client, matching } = inMemory(TaskService);
    matching.workers.push(fakeWorker("a", { buildId: "v1" }), fakeWorker("b", { buildId: "v2" }));
    await client.listTasks({ filter: { buildId: "v1" } });
    await client.listTasks({ filter: { buildId: "v1", workerId: "b" } });
    await client.listTasks({ filter: { buildId: "v3", ids: ["x"] } });
    expect(matching.filters).toEqual([{ workerIds: ["a"] }, { workerIds: [] }, { workerIds: [], ids: ["x"] }]);
  });

  it("says why a task waits, from its queue's limits, too", async () => {
    const { client, matching } = inMemory(TaskService);
    const pause = { actor: "alice", reason: "", since: fakeNow };
    matching.queues.push(fakeQueue(fakeActivityQueue("q"), { pause }));
    matching.tasks.set("a", fakeTask("a"));
    const { tasks } = await client.listTasks({});
    expect(tasks[0]?.reasons.map(({ reason }) => reason)).toEqual([WaitReason.PAUSED, WaitReason.NO_WORKERS]);
  });
});

describe("CancelTasks", () => {
  it("answers one status for each id", async () => {
    const { client, matching } = inMemory(TaskService);
    matching.onCancel = () => ({ verb: "cancel", statuses: ["canceled", "requested", "already-closed", "not-found"] });
    const reply = await client.cancelTasks({ ids: ["a", "b", "c", "d"], force: true, reason: "why", requestId: "r" });
    expect(reply.statuses).toEqual([
      CancelStatus.CANCELED,
      CancelStatus.REQUESTED,
      CancelStatus.ALREADY_CLOSED,
      CancelStatus.NOT_FOUND,
    ]);
    expect(matching.cancels).toMatchObject([
      { force: true, reason: "why", request: { namespace: "default", id: "r" } },
    ]);
  });

  it("refuses a reason over 1,000 bytes", async () => {
    const { client } = inMemory(TaskService);
    expect(await refusalOf(client.cancelTasks({ ids: ["a"], reason: "x".repeat(1_001) }))).toMatchObject({
      fields: ["reason"],
    });
  });
});
