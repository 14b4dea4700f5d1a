import type { TaskState } from "@tq/matching-core";
import type { TaskFilter as TaskFilterMessage } from "@tq/proto";
import type { TaskFilter } from "@tq/storage";
import { bounds } from "../validation/bounds.ts";
import { limitItems } from "../validation/numbers.ts";
import { allowName, allowText } from "../validation/strings.ts";
import type { Violations } from "../validation/violations.ts";
import { checkQueueName, readAnyKind } from "./task-queue.ts";
import { stateOf } from "./task-state.ts";
import { readMoment } from "./time.ts";
import type { Writable } from "./writable.ts";

/** Where a filter stands in its request, and what it is resolved with. */
export interface FilterReader {
  /** Such as "bulk.filter". */
  readonly path: string;
  readonly violations: Violations;
  /** The workers of a build, as far as the server knows of them. */
  readonly workersOfBuild: (buildId: string) => readonly string[];
}

/** Which tasks a call is about. None given: every task of the namespace. */
export function readTaskFilter(message: TaskFilterMessage | undefined, reader: FilterReader): TaskFilter {
  const filter: Writable<TaskFilter> = {};
  if (message === undefined) return filter;
  const { path, violations } = reader;
  readQueue(message, filter, reader);
  if (message.states.length > 0) filter.states = readStates(message, reader);
  if (has(message.types, "types", reader)) filter.types = message.types;
  if (has(message.ids, "ids", reader)) filter.ids = message.ids;
  if (message.idPrefix !== "") filter.idPrefix = message.idPrefix;
  if (message.priorities.length > 0) filter.priorities = readPriorities(message, reader);
  if (has(message.fairnessKeys, "fairness_keys", reader)) filter.fairnessKeys = message.fairnessKeys;
  if (has(message.serialKeys, "serial_keys", reader)) filter.serialKeys = message.serialKeys;
  readMoments(message, filter, reader);
  if (message.failureType !== "") filter.failureType = message.failureType;
  if (message.failureText !== "") filter.failureText = message.failureText;
  const { workerId, buildId } = message;
  allowName(workerId, bounds.workerIdBytes, `${path}.worker_id`, violations);
  allowName(buildId, bounds.nameBytes, `${path}.build_id`, violations);
  const workerIds = workersOf(workerId, buildId, reader);
  if (workerIds !== undefined) filter.workerIds = workerIds;
  allowName(message.idPrefix, bounds.lookedUpTaskIdBytes, `${path}.id_prefix`, violations);
  allowText(message.failureType, bounds.nameBytes, `${path}.failure_type`, violations);
  allowText(message.failureText, bounds.reasonBytes, `${path}.failure_text`, violations);
  return filter;
}

/** The same for a call that changes tasks: that every task is meant must be said. */
export function readBulkFilter(message: TaskFilterMessage | undefined, reader: FilterReader): TaskFilter {
  const filter = readTaskFilter(message, reader);
  if (Object.keys(filter).length === 0 && message?.everything !== true) {
    reader.violations.add("INVALID_FIELD", reader.path, "is empty: set a field, or everything to mean every task");
  }
  return filter;
}

/** The workers that a filter names, maybe none that there is; undefined if it does not ask, by id or by build. */
function workersOf(workerId: string, buildId: string, reader: FilterReader): readonly string[] | undefined {
  if (buildId === "") return workerId === "" ? undefined : [workerId];
  const ofBuild = reader.workersOfBuild(buildId);
  return workerId === "" ? ofBuild : ofBuild.filter((id) => id === workerId);
}

function readQueue(message: TaskFilterMessage, filter: Writable<TaskFilter>, { path, violations }: FilterReader): void {
  const ref = message.taskQueue;
  if (ref === undefined) return;
  const kind = readAnyKind(ref.kind, `${path}.task_queue.kind`, violations);
  if (ref.name !== "") {
    checkQueueName(ref.name, `${path}.task_queue.name`, violations);
    filter.queueName = ref.name;
  } else if (kind === undefined) {
    violations.add(
      "INVALID_NAME",
      `${path}.task_queue.name`,
      "must not be empty; leave task_queue unset for every queue",
    );
  }
  if (kind !== undefined) filter.queueKind = kind;
}

function readMoments(
  message: TaskFilterMessage,
  filter: Writable<TaskFilter>,
  { path, violations }: FilterReader,
): void {
  const addedAfter = readMoment(message.addedAfter, `${path}.added_after`, violations);
  const addedBefore = readMoment(message.addedBefore, `${path}.added_before`, violations);
  const closedAfter = readMoment(message.closedAfter, `${path}.closed_after`, violations);
  const closedBefore = readMoment(message.closedBefore, `${path}.closed_before`, violations);
  if (addedAfter !== undefined) filter.addedAfter = addedAfter;
  if (addedBefore !== undefined) filter.addedBefore = addedBefore;
  if (closedAfter !== undefined) filter.closedAfter = closedAfter;
  if (closedBefore !== undefined) filter.closedBefore = closedBefore;
}

function readStates(message: TaskFilterMessage, { path, violations }: FilterReader): TaskState[] {
  const states: TaskState[] = [];
  for (const [i, value] of message.states.entries()) {
    const state = stateOf(value);
    if (state === undefined) violations.add("INVALID_FIELD", `${path}.states[${i}]`, "must be a state");
    else states.push(state);
  }
  return states;
}

function readPriorities(message: TaskFilterMessage, { path, violations }: FilterReader): readonly number[] {
  for (const [i, priority] of message.priorities.entries()) {
    if (!(priority >= 1 && priority <= 5))
      violations.add("INVALID_FIELD", `${path}.priorities[${i}]`, "must be 1 to 5");
  }
  return message.priorities;
}

function has(values: readonly string[], field: string, { path, violations }: FilterReader): boolean {
  return values.length > 0 && limitItems(values.length, bounds.filterValues, `${path}.${field}`, violations);
}
