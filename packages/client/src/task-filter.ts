import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { type TaskFilterSchema, TaskQueueKind, TaskState } from "@tq/proto";
import { invalidField } from "./errors.ts";
import { type KnownOptions, refuseUnknownOptions } from "./known-options.ts";
import { optionalWhole, requireList, requireText, requireTexts, shown } from "./option-checks.ts";
import { kindNumber, type TaskKind } from "./new-task.ts";
import type { TaskStateName } from "./task-description.ts";

/** Which tasks. All that is set must hold; of a list, one of its values. An empty filter is every task of the namespace. */
export interface TaskFilter {
  readonly taskQueue?: string;
  /** Needs `taskQueue`. Default: both kinds of that name. */
  readonly kind?: TaskKind;
  readonly states?: readonly TaskStateName[];
  readonly types?: readonly string[];
  /** These tasks; at most 1,000. Found by their ids, however many others there are. */
  readonly ids?: readonly string[];
  readonly idPrefix?: string;
  /** The worker that holds it. */
  readonly workerId?: string;
  /** Build id of the live worker that holds it. */
  readonly buildId?: string;
  readonly priorities?: readonly number[];
  readonly fairnessKeys?: readonly string[];
  readonly serialKeys?: readonly string[];
  readonly addedAfter?: Date;
  readonly addedBefore?: Date;
  readonly closedAfter?: Date;
  readonly closedBefore?: Date;
  /** Type of the last failure. */
  readonly failureType?: string;
  /** A piece of the last failure's message, in whatever case. */
  readonly failureText?: string;
}

const filterOptions: KnownOptions<TaskFilter> = {
  taskQueue: true,
  kind: true,
  states: true,
  types: true,
  ids: true,
  idPrefix: true,
  workerId: true,
  buildId: true,
  priorities: true,
  fairnessKeys: true,
  serialKeys: true,
  addedAfter: true,
  addedBefore: true,
  closedAfter: true,
  closedBefore: true,
  failureType: true,
  failureText: true,
};

/** @throws TqError `invalid_argument` naming the field, if there is no such or its value is of the wrong type. */
export function checkTaskFilter(filter: TaskFilter): void {
  refuseUnknownOptions(filter, filterOptions);
  for (const name of ["taskQueue", "idPrefix", "workerId", "buildId", "failureType", "failureText"] as const) {
    if (filter[name] !== undefined) requireText(filter[name], name);
  }
  for (const name of ["types", "ids", "fairnessKeys", "serialKeys", "states"] as const) {
    if (filter[name] !== undefined) requireTexts(filter[name], name);
  }
  const { kind, priorities } = filter;
  if (kind !== undefined && kind !== "activity" && kind !== "workflow") {
    throw invalidField("kind", `${shown(kind)} is neither "activity" nor "workflow"`);
  }
  if (kind !== undefined && filter.taskQueue === undefined) throw invalidField("kind", "needs a `taskQueue`");
  if (priorities !== undefined) {
    requireList(priorities, "priorities");
    for (const [index, priority] of priorities.entries()) optionalWhole(priority, `priorities[${index}]`);
  }
  for (const name of ["addedAfter", "addedBefore", "closedAfter", "closedBefore"] as const) {
    const date: unknown = filter[name];
    if (date !== undefined && !isDate(date)) throw invalidField(name, `${shown(date)} is no Date`);
  }
}

/**
 * The contract's message of a filter. One that is empty says so, as the calls that change tasks want it.
 *
 * @throws TqError `invalid_argument` naming the field, if there is no such or no such state: a filter that is misspelled would be
 *   one that matches more.
 */
export function encodeTaskFilter(filter: TaskFilter): MessageInitShape<typeof TaskFilterSchema> {
  checkTaskFilter(filter);
  const { taskQueue, kind, states, addedAfter, addedBefore, closedAfter, closedBefore } = filter;
  return {
    ...(taskQueue !== undefined && {
      taskQueue: { name: taskQueue, kind: kind === undefined ? TaskQueueKind.UNSPECIFIED : kindNumber(kind) },
    }),
    states: (states ?? []).map(stateNumber),
    types: [...(filter.types ?? [])],
    ids: [...(filter.ids ?? [])],
    idPrefix: filter.idPrefix ?? "",
    workerId: filter.workerId ?? "",
    buildId: filter.buildId ?? "",
    priorities: [...(filter.priorities ?? [])],
    fairnessKeys: [...(filter.fairnessKeys ?? [])],
    serialKeys: [...(filter.serialKeys ?? [])],
    ...(addedAfter !== undefined && { addedAfter: timestampFromDate(addedAfter) }),
    ...(addedBefore !== undefined && { addedBefore: timestampFromDate(addedBefore) }),
    ...(closedAfter !== undefined && { closedAfter: timestampFromDate(closedAfter) }),
    ...(closedBefore !== undefined && { closedBefore: timestampFromDate(closedBefore) }),
    failureType: filter.failureType ?? "",
    failureText: filter.failureText ?? "",
    everything: Object.values(filter).every((value) => value === undefined),
  };
}

function stateNumber(state: TaskStateName, index: number): TaskState {
  if (Object.hasOwn(TaskState, state)) return TaskState[state];
  throw invalidField(`states[${index}]`, `${JSON.stringify(state)} is no state of a task`);
}

/** Not by its class: a test runner may have classes of its own. */
function isDate(value: unknown): boolean {
  return Object.prototype.toString.call(value) === "[object Date]" && Number.isFinite(Number(value));
}
