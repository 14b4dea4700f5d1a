import type { TaskState } from "@tq/matching-core";
import type { TaskFilter as TaskFilterMessage } from "@tq/proto";
import type { TaskFilter } from "@tq/storage";
import { CallRefused } from "../errors/call-refused.ts";
import { bounds } from "../validation/bounds.ts";
import { limitItems } from "../validation/numbers.ts";
import { allowName, allowText } from "../validation/strings.ts";
import type { Violations } from "../validation/violations.ts";
import { checkQueueName, readAnyKind } from "./task-queue.ts";
import { stateOf } from "./task-state.ts";
import { fromTimestamp } from "./time.ts";
import type { Writable } from "./writable.ts";

/** Which tasks a call is about. */
export function readTaskFilter(message: TaskFilterMessage | undefined, violations: Violations): TaskFilter {
  const filter: Writable<TaskFilter> = {};
  if (message === undefined) return filter;
  if (message.buildId !== "") {
    throw new CallRefused("NOT_BUILT", {
      subject: "filter.build_id",
      fields: [{ reason: "NOT_BUILT", field: "filter.build_id", description: "cannot be filtered by yet" }],
    });
  }
  readQueue(message, filter, violations);
  if (message.states.length > 0) filter.states = readStates(message, violations);
  if (has(message.types, "types", violations)) filter.types = message.types;
  if (message.idPrefix !== "") filter.idPrefix = message.idPrefix;
  if (message.workerId !== "") filter.workerId = message.workerId;
  if (message.priorities.length > 0) filter.priorities = readPriorities(message, violations);
  if (has(message.fairnessKeys, "fairness_keys", violations)) filter.fairnessKeys = message.fairnessKeys;
  if (has(message.serialKeys, "serial_keys", violations)) filter.serialKeys = message.serialKeys;
  if (message.addedAfter !== undefined) filter.addedAfter = fromTimestamp(message.addedAfter);
  if (message.addedBefore !== undefined) filter.addedBefore = fromTimestamp(message.addedBefore);
  if (message.closedAfter !== undefined) filter.closedAfter = fromTimestamp(message.closedAfter);
  if (message.closedBefore !== undefined) filter.closedBefore = fromTimestamp(message.closedBefore);
  if (message.failureType !== "") filter.failureType = message.failureType;
  if (message.failureText !== "") filter.failureText = message.failureText;
  allowName(message.idPrefix, bounds.lookedUpTaskIdBytes, "filter.id_prefix", violations);
  allowName(message.workerId, bounds.workerIdBytes, "filter.worker_id", violations);
  allowText(message.failureType, bounds.nameBytes, "filter.failure_type", violations);
  allowText(message.failureText, bounds.reasonBytes, "filter.failure_text", violations);
  return filter;
}

function readQueue(message: TaskFilterMessage, filter: Writable<TaskFilter>, violations: Violations): void {
  const ref = message.taskQueue;
  if (ref === undefined) return;
  const kind = readAnyKind(ref.kind, "filter.task_queue.kind", violations);
  if (ref.name !== "") {
    checkQueueName(ref.name, "filter.task_queue.name", violations);
    filter.queueName = ref.name;
  } else if (kind === undefined) {
    violations.add(
      "INVALID_NAME",
      "filter.task_queue.name",
      "must not be empty; leave task_queue unset for every queue",
    );
  }
  if (kind !== undefined) filter.queueKind = kind;
}

function readStates(message: TaskFilterMessage, violations: Violations): TaskState[] {
  const states: TaskState[] = [];
  for (const [i, value] of message.states.entries()) {
    const state = stateOf(value);
    if (state === undefined) violations.add("INVALID_FIELD", `filter.states[${i}]`, "must be a state");
    else states.push(state);
  }
  return states;
}

function readPriorities(message: TaskFilterMessage, violations: Violations): readonly number[] {
  for (const [i, priority] of message.priorities.entries()) {
    if (!(priority >= 1 && priority <= 5)) violations.add("INVALID_FIELD", `filter.priorities[${i}]`, "must be 1 to 5");
  }
  return message.priorities;
}

function has(values: readonly string[], field: string, violations: Violations): boolean {
  return values.length > 0 && limitItems(values.length, bounds.filterValues, `filter.${field}`, violations);
}
