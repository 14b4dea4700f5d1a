import type { TaskQueueKind, TaskState } from "@tq/matching-core";
import type { FailureRecord, TaskFilter } from "@tq/storage";
import { readHistory, readOutcome } from "./columns.ts";
import type { Started } from "./started-task.ts";
import type { FullTaskRow, TaskRow, TaskSketch } from "./task-row.ts";
import type { Parts } from "./transaction.ts";

/** Whether everything that a filter names holds for a task. */
export type RowFilter = (row: TaskSketch, lastFailure: () => FailureRecord | undefined) => boolean;

const kinds: readonly TaskQueueKind[] = ["activity", "workflow"];

/** A filter over the tasks of a namespace, prepared for many of them: cheap questions first, failures last. */
export function rowFilter(parts: Parts, namespace: string, filter: TaskFilter): RowFilter {
  const { namespaces, queues, started } = parts;
  const namespaceId = namespaces.idOf(namespace);
  const { queueName, queueKind, addedAfter, addedBefore, closedAfter, closedBefore } = filter;
  const { idPrefix, failureType, failureText } = filter;
  const text = failureText?.toLowerCase();
  const ids = among(filter.ids);
  const states = among(filter.states);
  const types = among(filter.types);
  const workerIds = among(filter.workerIds);
  const taskPriorities = among(filter.priorities);
  const fairnessKeys = among(filter.fairnessKeys);
  const serialKeys = among(filter.serialKeys);
  // By number: a row names its queue so, and nothing need be read for it.
  const queueIds =
    queueName === undefined
      ? undefined
      : new Set(
          (queueKind === undefined ? kinds : [queueKind])
            .map((kind) => queues.find({ namespace, name: queueName, kind })?.id)
            .filter((id) => id !== undefined),
        );
  return (row, lastFailure) => {
    if (row.namespace !== namespaceId) return false;
    if (queueIds !== undefined && !queueIds.has(row.queue)) return false;
    if (queueIds === undefined && queueKind !== undefined && queues.byId(row.queue).queue.kind !== queueKind)
      return false;
    if (ids?.has(row.id) === false || types?.has(row.type) === false) return false;
    if (idPrefix !== undefined && !row.id.startsWith(idPrefix)) return false;
    if (taskPriorities?.has(row.priority) === false || fairnessKeys?.has(row.key) === false) return false;
    if (serialKeys !== undefined && (row.serial_key === null || !serialKeys.has(row.serial_key))) return false;
    if (addedAfter !== undefined && row.added_at <= addedAfter) return false;
    if (addedBefore !== undefined && row.added_at >= addedBefore) return false;
    if (closedAfter !== undefined && (row.closed_at === null || row.closed_at <= closedAfter)) return false;
    if (closedBefore !== undefined && (row.closed_at === null || row.closed_at >= closedBefore)) return false;
    if (states !== undefined || workerIds !== undefined) {
      const lease = started.get(row.seq);
      if (states?.has(stateOf(row, lease)) === false) return false;
      if (workerIds !== undefined && (lease === undefined || !workerIds.has(lease.workerId))) return false;
    }
    if (failureType === undefined && text === undefined) return true;
    const failure = lastFailure();
    if (failure === undefined || (failureType !== undefined && failure.type !== failureType)) return false;
    return text === undefined || failure.message.toLowerCase().includes(text);
  };
}

/** Where a task is, given its lease if it has one. */
export function stateOf(row: Pick<TaskRow, "state" | "due_at">, lease: Started | undefined): TaskState {
  return row.state ?? (lease ? "started" : row.due_at === null ? "ready" : "scheduled");
}

/** Why a task failed last: its outcome says it, else its last failed attempt. */
export function lastFailure(
  row: Pick<FullTaskRow, "state" | "closed_at" | "outcome" | "history">,
): FailureRecord | undefined {
  const { state, closed_at, outcome, history } = row;
  const closing = state === null ? undefined : readOutcome(outcome, state, closed_at ?? 0).failure;
  return closing ?? readHistory(history).at(-1)?.failure;
}

function among<Value>(values: readonly Value[] | undefined): ReadonlySet<Value> | undefined {
  return values && new Set(values);
}
