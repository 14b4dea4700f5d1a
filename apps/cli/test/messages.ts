import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type Payload, PayloadSchema, type Task, TaskQueueKind, TaskSchema, TaskState } from "@tq/proto";
import { nowMs } from "./tq.ts";

type TaskInit = Exclude<MessageInitShape<typeof TaskSchema>, Task>;

/** A payload of JSON text. */
export function json(text: string): Payload {
  return create(PayloadSchema, { body: { case: "text", value: text } });
}

/** A task that was added five minutes ago and is ready. */
export function readyTask(more: TaskInit = {}): Task {
  return create(TaskSchema, {
    id: "t1",
    run: 1,
    taskQueue: { name: "demo", kind: TaskQueueKind.ACTIVITY },
    type: "greet",
    state: TaskState.READY,
    priority: 3,
    addedAt: timestampFromMs(nowMs - 300_000),
    input: [json('"world"'), json('{"loud":true}')],
    ...more,
  });
}

/** The same, completed a minute ago. */
export function completedTask(result: string, more: TaskInit = {}): Task {
  const closedAt = timestampFromMs(nowMs - 60_000);
  const outcome = { state: TaskState.COMPLETED, result: json(result), closedAt };
  return readyTask({ state: TaskState.COMPLETED, attempt: 1, outcome, ...more });
}

/** The same, failed after three attempts. */
export function failedTask(more: TaskInit = {}): Task {
  const failure = { type: "TypeError", message: "x is not a function", stackTrace: "TypeError: x\n    at f (a.js:1)" };
  const outcome = { state: TaskState.FAILED, failure, closedAt: timestampFromMs(nowMs - 60_000) };
  return readyTask({ state: TaskState.FAILED, attempt: 3, outcome, ...more });
}
