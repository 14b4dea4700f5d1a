import type { ClosedTask, FailedAttempt, Fallback, OnClose, Outcome, Task, WaitingTasks } from "@tq/proto";
import type {
  ClosedTaskRecord,
  Encoded,
  FailedAttemptRecord,
  FallbackRecord,
  OnCloseRecord,
  OutcomeRecord,
  TaskRecord,
} from "@tq/storage";
import type { TaskQueueKind } from "@tq/matching-core";
import { toClosedTaskMessage, toFailureMessage, toOutcomeMessage } from "./failure-message.ts";
import { decodePayload, decodePayloads } from "./payload-codec.ts";
import { toRetryPolicyMessage } from "./retry-policy.ts";
import { toTaskQueueRef } from "./task-queue.ts";
import { toStateMessage } from "./task-state.ts";
import { toTimestamp } from "./time.ts";
import { toTimeoutsMessage } from "./timeouts.ts";

/** What of a task a call asks for. */
export interface TaskDetail {
  readonly input: boolean;
  /** Results, failure details, heartbeat details, contexts. */
  readonly payloads: boolean;
}

/** A task as a message. */
export function toTaskMessage(task: TaskRecord, detail: TaskDetail, reasons: WaitingTasks[]): Task {
  const message: Task = {
    $typeName: "tq.v1.Task",
    id: task.id,
    run: task.run,
    taskQueue: toTaskQueueRef(task.queue),
    type: task.type,
    state: toStateMessage(task.state),
    attempt: task.attempt,
    priority: task.priority,
    fairnessKey: task.fairnessKey,
    fairnessWeight: task.fairnessWeight,
    serialKey: task.serialKey ?? "",
    addedAt: toTimestamp(task.addedAt),
    workerId: task.started?.workerId ?? "",
    cancelRequested: task.started?.cancelRequested ?? false,
    input: detail.input ? decodePayloads(task.input) : [],
    headers: { ...task.headers },
    timeouts: toTimeoutsMessage(task.timeouts),
    retryPolicy: toRetryPolicyMessage(task.retryPolicy),
    failedAttempts: task.failedAttempts.map((attempt) => toFailedAttempt(attempt, detail)),
    reasons,
  };
  if (task.dueAt !== undefined && task.state === "scheduled") message.dueAt = toTimestamp(task.dueAt);
  if (task.started !== undefined) {
    message.startedAt = toTimestamp(task.started.at);
    message.leaseUntil = toTimestamp(task.started.leaseUntil);
  }
  if (task.outcome !== undefined) message.outcome = toOutcome(task.outcome, detail);
  if (task.keptUntil !== undefined) message.keptUntil = toTimestamp(task.keptUntil);
  if (task.fallback !== undefined) message.fallback = toFallback(task.fallback, task.queue.kind, detail);
  if (task.onClose !== undefined) message.onClose = toOnClose(task.onClose, detail);
  if (task.closedTask !== undefined) message.closedTask = toClosedTask(task.closedTask, detail);
  return message;
}

/** About how many bytes a task takes in a reply; never much less than it does. */
export function estimateTaskBytes(task: TaskRecord, detail: TaskDetail): number {
  let bytes = 600 + 3 * (task.id.length + task.type.length + task.queue.name.length + task.fairnessKey.length);
  bytes += 3 * (task.serialKey?.length ?? 0);
  for (const key in task.headers) bytes += 3 * (key.length + (task.headers[key]?.length ?? 0)) + 8;
  for (const key in task.onClose?.headers) bytes += 3 * (key.length + (task.onClose?.headers?.[key]?.length ?? 0)) + 8;
  for (const type of task.retryPolicy.nonRetryableFailureTypes) bytes += 3 * type.length + 4;
  for (const attempt of task.failedAttempts)
    bytes += 300 + failureBytes(attempt.failure.encoded, attempt.failure.message);
  if (detail.input) bytes += task.input.length;
  bytes += outcomeBytes(task.outcome, detail) + outcomeBytes(task.closedTask?.outcome, detail);
  if (detail.payloads) {
    bytes += length(task.fallback?.input) + length(task.onClose?.context) + length(task.closedTask?.context);
  }
  return bytes;
}

function outcomeBytes(outcome: OutcomeRecord | undefined, detail: TaskDetail): number {
  if (outcome === undefined) return 0;
  const { result, failure, heartbeatDetails } = outcome;
  const ofFailure = failure === undefined ? 0 : failureBytes(failure.encoded, failure.message);
  return 50 + ofFailure + (detail.payloads ? length(result) + length(heartbeatDetails) : 0);
}

function failureBytes(encoded: Encoded, message: string): number {
  return Math.max(encoded.length, message.length * 3 + 200);
}

function length(encoded: Encoded | undefined): number {
  return encoded?.length ?? 0;
}

function toOutcome(record: OutcomeRecord, detail: TaskDetail): Outcome {
  const message = toOutcomeMessage(record);
  if (!detail.payloads) {
    delete message.result;
    delete message.heartbeatDetails;
    if (message.failure !== undefined) message.failure.details = [];
  }
  return message;
}

function toClosedTask(record: ClosedTaskRecord, detail: TaskDetail): ClosedTask {
  const message = toClosedTaskMessage(record);
  if (!detail.payloads) {
    message.outcome = toOutcome(record.outcome, detail);
    delete message.context;
  }
  return message;
}

function toFailedAttempt(record: FailedAttemptRecord, detail: TaskDetail): FailedAttempt {
  const failure = toFailureMessage(record.failure);
  if (!detail.payloads) failure.details = [];
  return {
    $typeName: "tq.v1.FailedAttempt",
    run: record.run,
    attempt: record.attempt,
    workerId: record.workerId,
    startedAt: toTimestamp(record.startedAt),
    failedAt: toTimestamp(record.failedAt),
    failure,
  };
}

function toFallback(record: FallbackRecord, kind: TaskQueueKind, detail: TaskDetail): Fallback {
  return {
    $typeName: "tq.v1.Fallback",
    taskQueue: toTaskQueueRef({ name: record.queueName, kind }),
    type: record.type ?? "",
    input: detail.payloads && record.input !== undefined ? decodePayloads(record.input) : [],
    replaceInput: record.input !== undefined,
  };
}

function toOnClose(record: OnCloseRecord, detail: TaskDetail): OnClose {
  const message: OnClose = {
    $typeName: "tq.v1.OnClose",
    taskQueue: toTaskQueueRef({ name: record.queueName, kind: "workflow" }),
    type: record.type,
    serialKey: record.serialKey ?? "",
    priority: record.priority ?? 3,
    headers: { ...record.headers },
  };
  if (detail.payloads && record.context !== undefined) message.context = decodePayload(record.context);
  return message;
}
