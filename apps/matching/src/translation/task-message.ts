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
import { bounds } from "../validation/bounds.ts";
import { toAttemptFailureMessage, toClosedTaskMessage, toOutcomeMessage } from "./failure-message.ts";
import { decodePayload, decodePayloads } from "./payload-codec.ts";
import { toRetryPolicyMessage } from "./retry-policy.ts";
import { toTaskQueueRef } from "./task-queue.ts";
import { toStateMessage } from "./task-state.ts";
import { toTimestamp } from "./time.ts";
import { toTimeoutsMessage } from "./timeouts.ts";

/** What of a task a call asks for. */
export interface TaskDetail {
  readonly input: boolean;
  /** The input that its fallback puts in place of it. */
  readonly fallbackInput: boolean;
  /** Its result, failure details, heartbeat details. */
  readonly payloads: boolean;
  /** What it hands on when it closes, and what a closed task handed on to it: contexts, and that one's outcome whole. */
  readonly handedOn: boolean;
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
  for (const { failure } of task.failedAttempts) {
    bytes += 300 + Math.min(failureBytes(failure.encoded, failure.message), bounds.attemptFailureBytes);
  }
  if (detail.input) bytes += task.input.length;
  bytes += outcomeBytes(task.outcome, detail) + closedTaskBytes(task.closedTask, detail);
  if (detail.fallbackInput) bytes += length(task.fallback?.input);
  if (detail.handedOn) bytes += length(task.onClose?.context);
  return bytes;
}

function outcomeBytes(outcome: OutcomeRecord | undefined, detail: TaskDetail): number {
  if (outcome === undefined) return 0;
  const { result, failure, heartbeatDetails } = outcome;
  const ofFailure = failure === undefined ? 0 : failureBytes(failure.encoded, failure.message);
  return 50 + ofFailure + (detail.payloads ? length(result) + length(heartbeatDetails) : 0);
}

function closedTaskBytes(closed: ClosedTaskRecord | undefined, detail: TaskDetail): number {
  if (closed === undefined) return 0;
  if (detail.handedOn) return length(closed.context) + outcomeBytes(closed.outcome, detail);
  return 50 + bounds.attemptFailureBytes;
}

function failureBytes(encoded: Encoded, message: string): number {
  return encoded.length > 0 ? encoded.length : message.length * 3 + 200;
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
  if (!detail.handedOn) {
    const { failure } = record.outcome;
    message.outcome = toOutcome(record.outcome, { ...detail, payloads: false });
    if (failure !== undefined) message.outcome.failure = { ...toAttemptFailureMessage(failure), details: [] };
    delete message.context;
  }
  return message;
}

function toFailedAttempt(record: FailedAttemptRecord, detail: TaskDetail): FailedAttempt {
  const failure = toAttemptFailureMessage(record.failure);
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
    input: detail.fallbackInput && record.input !== undefined ? decodePayloads(record.input) : [],
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
  if (record.fallbackQueueName !== undefined)
    message.fallbackTaskQueue = toTaskQueueRef({ name: record.fallbackQueueName, kind: "workflow" });
  if (detail.handedOn && record.context !== undefined) message.context = decodePayload(record.context);
  return message;
}
