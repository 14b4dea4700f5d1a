import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { AddTasksRequestSchema, IdPolicy, TaskQueueKind, type NewTaskSchema } from "@tq/proto";
import { describe, expect, it } from "vitest";
import { CallRefused } from "../errors/call-refused.ts";
import { readAddTasks } from "./add-tasks.ts";
import { decodePayload, decodePayloads } from "./payload-codec.ts";

type Init = MessageInitShape<typeof NewTaskSchema>;

const queue = { name: "q", kind: TaskQueueKind.ACTIVITY };
const valid: Init = { id: "a", taskQueue: queue, type: "t" };

function read(...tasks: Init[]) {
  let made = 0;
  return readAddTasks(create(AddTasksRequestSchema, { tasks }), "ns", () => `made-${++made}`);
}

function refusal(act: () => unknown): CallRefused {
  try {
    act();
  } catch (reason) {
    if (reason instanceof CallRefused) return reason;
    throw reason;
  }
  throw new Error("it was not refused");
}

const seconds = (n: number) => ({ seconds: BigInt(n) });
const text = (length: number) => ({ body: { case: "text", value: "x".repeat(length) } }) as const;

describe("readAddTasks", () => {
  it("leaves to the queue what a task does not say", () => {
    const { tasks } = read({ taskQueue: queue, type: "t" });
    expect(tasks).toEqual([
      {
        id: "made-1",
        queue: { namespace: "ns", name: "q", kind: "activity" },
        type: "t",
        input: new Uint8Array(0),
        priority: 3,
        fairnessKey: "",
        fairnessWeight: 1,
        startDelayMs: 0,
        timeouts: {},
        idPolicy: "reject",
      },
    ]);
  });

  it("fills in a retry policy that says only half with the defaults of its kind", () => {
    const retryPolicy = { initialInterval: seconds(2) };
    const [activity] = read({ ...valid, retryPolicy }).tasks;
    expect(activity?.retryPolicy).toEqual({
      initialIntervalMs: 2_000,
      backoffCoefficient: 2,
      maximumIntervalMs: 100_000,
      maximumAttempts: 25,
      nonRetryableFailureTypes: [],
      jitter: 0.1,
    });
    const [decision] = read({ ...valid, taskQueue: { ...queue, kind: TaskQueueKind.WORKFLOW }, retryPolicy }).tasks;
    expect(decision?.retryPolicy?.maximumAttempts).toBe(0);
  });

  it("carries every field into the record", () => {
    const [task] = read({
      ...valid,
      input: [
        text(3),
        { contentType: "image/png", body: { case: "bytes", value: new Uint8Array([1]) }, metadata: { a: "b" } },
      ],
      priority: 1,
      fairnessKey: "tenant",
      fairnessWeight: 0.5,
      serialKey: "order-1",
      startDelay: { seconds: 1n, nanos: 500_000_001 },
      timeouts: {
        scheduleToStart: seconds(1),
        startToClose: seconds(0),
        scheduleToClose: seconds(9),
        heartbeat: seconds(4),
      },
      retryPolicy: { initialInterval: seconds(0), maximumAttempts: 0, jitter: 0, nonRetryableFailureTypes: ["No"] },
      headers: { trace: "1" },
      onClose: {
        taskQueue: { name: "w" },
        type: "closed",
        serialKey: "s",
        context: text(1),
        priority: 2,
        headers: { h: "1" },
        fallbackTaskQueue: { name: "engine" },
      },
      idPolicy: IdPolicy.ALLOW_IF_DEAD,
      retention: seconds(0),
    }).tasks;
    expect(task).toMatchObject({
      priority: 1,
      fairnessKey: "tenant",
      fairnessWeight: 0.5,
      serialKey: "order-1",
      startDelayMs: 1_501,
      timeouts: { scheduleToStartMs: 1_000, startToCloseMs: 0, scheduleToCloseMs: 9_000, heartbeatMs: 4_000 },
      retryPolicy: {
        initialIntervalMs: 0,
        backoffCoefficient: 2,
        maximumAttempts: 0,
        jitter: 0,
        nonRetryableFailureTypes: ["No"],
      },
      headers: { trace: "1" },
      onClose: {
        queueName: "w",
        type: "closed",
        serialKey: "s",
        priority: 2,
        headers: { h: "1" },
        fallbackQueueName: "engine",
      },
      idPolicy: "allow-if-dead",
      retentionMs: 0,
    });
    expect(decodePayloads(task!.input)).toMatchObject([text(3), { contentType: "image/png", metadata: { a: "b" } }]);
    expect(decodePayload(task!.onClose!.context!)).toMatchObject(text(1));
  });

  const cases: [what: string, task: Init, field: string, reason?: string][] = [
    ["no queue", { id: "a", type: "t" }, "task_queue"],
    ["no queue name", { ...valid, taskQueue: { kind: queue.kind } }, "task_queue.name", "INVALID_NAME"],
    [
      "a long queue name",
      { ...valid, taskQueue: { ...queue, name: "é".repeat(101) } },
      "task_queue.name",
      "INVALID_NAME",
    ],
    ["a control character", { ...valid, taskQueue: { ...queue, name: "a\nb" } }, "task_queue.name", "INVALID_NAME"],
    [
      "half a surrogate pair",
      { ...valid, taskQueue: { ...queue, name: "a\ud800" } },
      "task_queue.name",
      "INVALID_NAME",
    ],
    ["a reserved name", { ...valid, taskQueue: { ...queue, name: "tq.x" } }, "task_queue.name", "INVALID_NAME"],
    ["no kind", { ...valid, taskQueue: { name: "q" } }, "task_queue.kind"],
    ["an unknown kind", { ...valid, taskQueue: { name: "q", kind: 9 as TaskQueueKind } }, "task_queue.kind"],
    ["a long id", { ...valid, id: "x".repeat(301) }, "id", "INVALID_NAME"],
    ["no type", { ...valid, type: "" }, "type", "INVALID_NAME"],
    ["a type with a NUL", { ...valid, type: "a\0" }, "type", "INVALID_NAME"],
    ["priority 6", { ...valid, priority: 6 }, "priority"],
    ["a tiny weight", { ...valid, fairnessWeight: 0.0001 }, "fairness_weight"],
    ["a weight that is no number", { ...valid, fairnessWeight: NaN }, "fairness_weight"],
    ["a long fairness key", { ...valid, fairnessKey: "x".repeat(201) }, "fairness_key", "INVALID_NAME"],
    ["a long serial key", { ...valid, serialKey: "x".repeat(201) }, "serial_key", "INVALID_NAME"],
    ["a negative delay", { ...valid, startDelay: seconds(-1) }, "start_delay"],
    ["a delay of 11 years", { ...valid, startDelay: seconds(11 * 365 * 86_400) }, "start_delay"],
    ["a negative timeout", { ...valid, timeouts: { heartbeat: seconds(-1) } }, "timeouts.heartbeat"],
    [
      "a coefficient below 1",
      { ...valid, retryPolicy: { backoffCoefficient: 0.5 } },
      "retry_policy.backoff_coefficient",
    ],
    ["jitter over 1", { ...valid, retryPolicy: { jitter: 1.1 } }, "retry_policy.jitter"],
    [
      "101 failure types",
      { ...valid, retryPolicy: { nonRetryableFailureTypes: Array.from({ length: 101 }, String) } },
      "retry_policy.non_retryable_failure_types",
      "TOO_MANY_ITEMS",
    ],
    [
      "101 headers",
      { ...valid, headers: Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`h${i}`, ""])) },
      "headers",
      "TOO_MANY_ITEMS",
    ],
    ["headers over 16 KiB", { ...valid, headers: { a: "x".repeat(16_384) } }, "headers"],
    [
      "an input of too many payloads",
      { ...valid, input: Array.from({ length: 10_001 }, () => ({})) },
      "input",
      "TOO_MANY_ITEMS",
    ],
    ["an input over 2 MiB", { ...valid, input: [text(1_048_576), text(1_048_577)] }, "input", "PAYLOAD_TOO_LARGE"],
    ["a long content type", { ...valid, input: [{ contentType: "x".repeat(256) }] }, "input.content_type"],
    ["metadata over 4 KiB", { ...valid, input: [{ metadata: { a: "x".repeat(4_096) } }] }, "input.metadata"],
    ["a fallback without a queue", { ...valid, fallback: { type: "t" } }, "fallback.task_queue"],
    [
      "a fallback of the other kind",
      { ...valid, fallback: { taskQueue: { name: "f", kind: TaskQueueKind.WORKFLOW } } },
      "fallback.task_queue.kind",
    ],
    ["a fallback to the task's own queue", { ...valid, fallback: { taskQueue: { name: "q" } } }, "fallback.task_queue"],
    [
      "a context over 256 KiB",
      { ...valid, onClose: { taskQueue: { name: "w" }, type: "t", context: text(256 * 1024 + 1) } },
      "on_close.context",
      "PAYLOAD_TOO_LARGE",
    ],
    [
      "an on-close with its own queue as the fallback",
      { ...valid, onClose: { taskQueue: { name: "w" }, type: "t", fallbackTaskQueue: { name: "w" } } },
      "on_close.fallback_task_queue",
    ],
    [
      "an on-close with a fallback of the other kind",
      {
        ...valid,
        onClose: {
          taskQueue: { name: "w" },
          type: "t",
          fallbackTaskQueue: { name: "f", kind: TaskQueueKind.ACTIVITY },
        },
      },
      "on_close.fallback_task_queue.kind",
    ],
    [
      "an on-close without a type",
      { ...valid, onClose: { taskQueue: { name: "w" } } },
      "on_close.type",
      "INVALID_NAME",
    ],
    [
      "an on-close to an activity queue",
      { ...valid, onClose: { taskQueue: queue, type: "t" } },
      "on_close.task_queue.kind",
    ],
    ["an unknown policy", { ...valid, idPolicy: 9 as IdPolicy }, "id_policy"],
    ["a negative retention", { ...valid, retention: seconds(-1) }, "retention"],
  ];
  it.each(cases)("refuses %s by its path", (_what, task, field, reason = "INVALID_FIELD") => {
    const refused = refusal(() => read(valid, { ...task, id: task.id === "a" ? "b" : (task.id ?? "b") }));
    expect(refused.fields).toMatchObject([{ field: `tasks[1].${field}`, reason }]);
    expect(refused.reason).toBe(reason);
  });

  it("takes an input of exactly 2 MiB, whatever its framing", () => {
    expect(read({ ...valid, input: [text(2 * 1024 * 1024)] }).tasks).toHaveLength(1);
  });

  it("takes a context of exactly 256 KiB, and says the limit of a larger one", () => {
    const withContext = (bytes: number) =>
      read({ ...valid, onClose: { taskQueue: { name: "w" }, type: "t", context: text(bytes) } });
    expect(withContext(262_144).tasks).toHaveLength(1);
    expect(refusal(() => withContext(262_145)).message).toContain(
      "tasks[0].on_close.context is 262145 bytes and may be 262144",
    );
  });

  it("reports every violation of a batch, up to twenty, and counts the rest", () => {
    expect(
      refusal(() => read({ id: "a" }, { ...valid, id: "b", priority: 9 })).fields.map(({ field }) => field),
    ).toEqual(["tasks[0].task_queue", "tasks[0].type", "tasks[1].priority"]);
    const many = refusal(() => read(...Array.from({ length: 30 }, (_, i) => ({ ...valid, id: `${i}`, priority: 9 }))));
    expect(many.fields).toHaveLength(20);
    expect(many.metadata).toEqual({ violations: "30" });
  });

  it("names both places of an id that stands twice", () => {
    const refused = refusal(() => read(valid, { ...valid, id: "b" }, valid));
    expect(refused.reason).toBe("DUPLICATE_ID_IN_BATCH");
    expect(refused.fields.map(({ field }) => field)).toEqual(["tasks[0].id", "tasks[2].id"]);
  });

  it("refuses more than 10,000 tasks without looking at them", () => {
    const refused = refusal(() => read(...Array.from({ length: 10_001 }, () => ({}))));
    expect(refused.fields).toMatchObject([{ reason: "TOO_MANY_ITEMS", field: "tasks" }]);
  });

  it("keeps the request id with its namespace", () => {
    const request = create(AddTasksRequestSchema, { requestId: "r", tasks: [valid] });
    expect(readAddTasks(request, "ns", () => "").request).toEqual({ namespace: "ns", id: "r" });
    request.requestId = "x".repeat(129);
    expect(refusal(() => readAddTasks(request, "ns", () => "")).fields).toMatchObject([{ field: "request_id" }]);
  });
});
