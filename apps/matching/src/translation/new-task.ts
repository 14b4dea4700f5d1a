import type { TaskQueue } from "@tq/matching-core";
import {
  IdPolicy as IdPolicyMessage,
  type Fallback,
  type NewTask as NewTaskMessage,
  type OnClose,
  type TaskQueueRef,
} from "@tq/proto";
import type { FallbackRecord, IdPolicy, NewTask, OnCloseRecord } from "@tq/storage";
import { bounds } from "../validation/bounds.ts";
import { readDurationMs, readPriority, readWeight, upToTenYears } from "../validation/numbers.ts";
import { allowName, readHeaders, requireName } from "../validation/strings.ts";
import type { Violations } from "../validation/violations.ts";
import { readPayload, readPayloads } from "./payload.ts";
import { readRetryPolicy } from "./retry-policy.ts";
import { readTaskQueue, type KindRule } from "./task-queue.ts";
import { readTimeouts } from "./timeouts.ts";
import type { Writable } from "./writable.ts";

const headerLimit = { entries: bounds.headerEntries, bytes: bounds.headerBytes };

/** What a call that adds tasks has in common for all of them. */
export interface NewTaskReader {
  readonly namespace: string;
  readonly violations: Violations;
  /** Makes an id for a task that brings none. */
  readonly makeId: () => string;
}

/** A task to add, checked; timeouts and a retry policy that it does not name are left to its queue. Field paths begin where `violations` stands. */
export function readNewTask(message: NewTaskMessage, kindRule: KindRule, reader: NewTaskReader): NewTask {
  const { namespace, violations } = reader;
  const queue = readTaskQueue(message.taskQueue, namespace, kindRule, "task_queue", violations);
  allowName(message.id, bounds.taskIdBytes, "id", violations);
  requireName(message.type, bounds.nameBytes, "type", violations);
  allowName(message.fairnessKey, bounds.nameBytes, "fairness_key", violations);

  const task: Writable<NewTask> = {
    id: message.id === "" ? reader.makeId() : message.id,
    queue,
    type: message.type,
    input: readPayloads(message.input, "input", violations),
    priority: readPriority(message.priority, "priority", violations),
    fairnessKey: message.fairnessKey,
    fairnessWeight: readWeight(message.fairnessWeight, "fairness_weight", violations),
    startDelayMs: readDurationMs(message.startDelay, upToTenYears, "start_delay", violations) ?? 0,
    timeouts: readTimeouts(message.timeouts, violations),
    idPolicy: readIdPolicy(message.idPolicy, violations),
  };
  if (message.retryPolicy !== undefined) {
    task.retryPolicy = readRetryPolicy(message.retryPolicy, queue.kind, "retry_policy", violations);
  }
  if (message.serialKey !== "") {
    allowName(message.serialKey, bounds.nameBytes, "serial_key", violations);
    task.serialKey = message.serialKey;
  }
  const headers = readHeaders(message.headers, headerLimit, "headers", violations);
  if (headers !== undefined) task.headers = headers;
  if (message.fallback !== undefined) task.fallback = readFallback(message.fallback, queue, violations);
  if (message.onClose !== undefined) task.onClose = readOnClose(message.onClose, namespace, violations);
  const retentionMs = readDurationMs(message.retention, upToTenYears, "retention", violations);
  if (retentionMs !== undefined) task.retentionMs = retentionMs;
  return task;
}

/** Headers of a task, bounded. Undefined if there are none. */
export function readTaskHeaders(
  headers: Readonly<Record<string, string>>,
  field: string,
  violations: Violations,
): Readonly<Record<string, string>> | undefined {
  return readHeaders(headers, headerLimit, field, violations);
}

function readIdPolicy(policy: IdPolicyMessage, violations: Violations): IdPolicy {
  switch (policy) {
    case IdPolicyMessage.UNSPECIFIED:
    case IdPolicyMessage.REJECT:
      return "reject";
    case IdPolicyMessage.ALLOW_IF_DEAD:
      return "allow-if-dead";
    case IdPolicyMessage.ALLOW:
      return "allow";
    default:
      // Enums are open: a number that is not in the contract arrives as it is.
      violations.add("INVALID_FIELD", "id_policy", "is not a known policy");
      return "reject";
  }
}

function readFallback(message: Fallback, own: TaskQueue, violations: Violations): FallbackRecord {
  const queueName = readFallbackQueue(message.taskQueue, own, "fallback.task_queue", violations);
  const record: Writable<FallbackRecord> = { queueName };
  if (message.type !== "") {
    allowName(message.type, bounds.nameBytes, "fallback.type", violations);
    record.type = message.type;
  }
  if (message.input.length > 0 || message.replaceInput) {
    record.input = readPayloads(message.input, "fallback.input", violations);
  }
  return record;
}

function readOnClose(message: OnClose, namespace: string, violations: Violations): OnCloseRecord {
  const queue = readTaskQueue(message.taskQueue, namespace, "workflow", "on_close.task_queue", violations);
  requireName(message.type, bounds.nameBytes, "on_close.type", violations);
  const record: Writable<OnCloseRecord> = { queueName: queue.name, type: message.type };
  if (message.serialKey !== "") {
    allowName(message.serialKey, bounds.nameBytes, "on_close.serial_key", violations);
    record.serialKey = message.serialKey;
  }
  const context = readPayload(message.context, "on_close.context", violations, bounds.contextBytes);
  if (context !== undefined) record.context = context;
  if (message.priority !== 0) record.priority = readPriority(message.priority, "on_close.priority", violations);
  const headers = readHeaders(message.headers, headerLimit, "on_close.headers", violations);
  if (headers !== undefined) record.headers = headers;
  if (message.fallbackTaskQueue !== undefined) {
    const field = "on_close.fallback_task_queue";
    record.fallbackQueueName = readFallbackQueue(message.fallbackTaskQueue, queue, field, violations);
  }
  return record;
}

/** Name of the queue that a task moves to from its own. */
export function readFallbackQueue(
  ref: TaskQueueRef | undefined,
  own: TaskQueue,
  field: string,
  violations: Violations,
): string {
  const { name } = readTaskQueue(ref, own.namespace, own.kind, field, violations);
  if (name !== "" && name === own.name) violations.add("INVALID_FIELD", field, "must be another queue");
  return name;
}
