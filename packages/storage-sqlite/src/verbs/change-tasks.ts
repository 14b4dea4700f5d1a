import { isDead } from "@tq/matching-core";
import type {
  BulkCursor,
  BulkProgressRecord,
  ChangeTasksOperation,
  ChangeTasksResult,
  TaskChange,
  TaskFilter,
} from "@tq/storage";
import { lastFailure, rowFilter } from "../filter.ts";
import { canceled, closeStarted, closeWaiting, redriveTask, removeClosed, returnTask, rowOf } from "../life.ts";
import { moveTask, useQueue } from "../moves.ts";
import type { TaskRow, TaskSketch } from "../task-row.ts";
import type { Transaction } from "../transaction.ts";
import { callOf, keepAnswer, keptAnswer } from "./requests.ts";

const nothingYet: BulkProgressRecord = { examined: 0, changed: 0, skipped: 0 };

/** Looks at one chunk of tasks, and changes those that match. */
export function changeTasks(tx: Transaction, operation: ChangeTasksOperation): ChangeTasksResult {
  const { namespace, request, dryRun } = operation;
  if (tx.parts.namespaces.idOf(namespace) === undefined) {
    return { verb: "change-tasks", refused: { reason: "namespace-not-found", index: 0, subject: namespace } };
  }
  // A dry run has no effect that a repeated one could have twice.
  if (request === undefined || dryRun) return changeChunk(tx, operation);
  const call = callOf("change-tasks", content(operation));
  const kept = keptAnswer(tx, request, call);
  if (kept !== undefined && "refused" in kept) return { verb: "change-tasks", refused: kept.refused };
  const sofar = kept === undefined ? undefined : (JSON.parse(kept.answer) as SoFar);
  if (sofar !== undefined && sofar.next === undefined) return { verb: "change-tasks", progress: sofar.progress };
  // What was asked with the id so far counts, and not where this caller believes that it is: there may be two of them.
  const result = changeChunk(tx, sofar?.next === undefined ? operation : { ...operation, cursor: sofar.next });
  const { progress, next } = result;
  keepAnswer(tx, request, call, JSON.stringify({ progress, next } satisfies SoFar));
  return result;
}

/** How far a call with a request id is. Without `next` it is done. */
interface SoFar {
  readonly progress: BulkProgressRecord;
  readonly next?: BulkCursor | undefined;
}

/** As it was asked for: which workers are of a build, say, is another matter each time. */
function content({ change, action }: ChangeTasksOperation): string[] {
  return [JSON.stringify(change), action.call, action.request];
}

function changeChunk(
  tx: Transaction,
  operation: ChangeTasksOperation,
): Exclude<ChangeTasksResult, { readonly refused: unknown }> {
  const { namespace, filter, dryRun, examine, limit = Infinity, cursor } = operation;
  const { numbers, tasks } = tx.parts;
  const upTo = cursor === undefined ? numbers.last : Number(cursor.upTo);
  const before = cursor?.progress ?? nothingYet;
  let { examined, changed, skipped } = before;
  let after = cursor === undefined ? 0 : Number(cursor.after);
  const namespaceId = tx.parts.namespaces.idOf(namespace);
  const matches = rowFilter(tx.parts, namespace, filter);
  const rows = chunk(tx, namespace, filter, { after, upTo, examine });
  for (const sketch of rows) {
    if (changed >= limit) break;
    const { seq } = sketch;
    after = seq;
    // Read for nothing, and nobody's business.
    if (sketch.namespace !== namespaceId) continue;
    examined += 1;
    if (!matches(sketch, () => lastFailure(tasks.failing(seq)))) continue;
    // Read now: what was done to those before it may have moved it up.
    const change = changeOf(tx, operation, tasks.row(seq));
    if (change === undefined) {
      skipped += 1;
      continue;
    }
    if (!dryRun) change();
    changed += 1;
  }
  const isLast = rows.length < examine || changed >= limit;
  const progress = { examined, changed, skipped };
  const event = changed === before.changed || dryRun ? cursor?.event : noteEvent(tx, operation, changed);
  if (isLast) return { verb: "change-tasks", progress };
  const next = { after: String(after), upTo: String(upTo), ...(event !== undefined && { event }), progress };
  return { verb: "change-tasks", progress, next };
}

/** The next tasks in order of adding; if the filter names ids, no others. */
function chunk(
  tx: Transaction,
  namespace: string,
  { ids = [] }: TaskFilter,
  { after, upTo, examine }: { readonly after: number; readonly upTo: number; readonly examine: number },
): TaskSketch[] {
  const { namespaces, tasks } = tx.parts;
  if (ids.length === 0) return tasks.sketches(tx.now, after, upTo, examine);
  return tasks
    .numbersOf(namespaces.idOf(namespace) ?? 0, ids, after)
    .filter((seq) => seq <= upTo)
    .slice(0, examine)
    .map((seq) => tasks.row(seq));
}

/** Writes the event with the first chunk that changes something, and brings it up to date with the others. */
function noteEvent(
  tx: Transaction,
  { namespace, filter, action, cursor, event }: ChangeTasksOperation,
  changed: number,
): number {
  const { events, namespaces } = tx.parts;
  if (event !== undefined) {
    events.setChanged(event.id, event.changed + changed);
    return event.id;
  }
  if (cursor?.event !== undefined) {
    events.setChanged(cursor.event, changed);
    return cursor.event;
  }
  const { queueName: name, queueKind: kind } = filter;
  const queue = name === undefined || kind === undefined ? {} : { queue: { namespace, name, kind } };
  return events.add(namespaces.idOf(namespace) ?? 0, tx.now, action, { ...queue, changed });
}

/** What changes this task; undefined: it is not in a state in which this can be done. */
function changeOf(tx: Transaction, { change, action }: ChangeTasksOperation, row: TaskRow): (() => void) | undefined {
  switch (change.kind) {
    case "purge": {
      const { actor, reason } = action;
      return () => purge(tx, row, `purged by ${actor}${reason === "" ? "" : `: ${reason}`}`, change.silent);
    }
    case "move":
      return movable(tx, row, change) ? () => moveTask(tx, row, useQueue(tx, change.to)) : undefined;
    case "redrive":
      return row.state !== null && isDead(row.state) ? () => redriveTask(tx, row) : undefined;
    case "release":
      return released(tx, row);
  }
}

function purge(tx: Transaction, row: TaskRow, message: string, silent: boolean): void {
  const task = tx.parts.started.get(row.seq);
  const how = { failure: canceled(message), silent };
  if (row.state !== null) removeClosed(tx, row);
  else if (task === undefined) closeWaiting(tx, row, "canceled", how);
  else {
    tellWorker(tx, task);
    const { attempts, answered, history } = rowOf(tx, task);
    closeStarted(tx, task, "canceled", how, { attempts, answered, history });
  }
}

/** Only what waits elsewhere, in a queue of that kind. A task never leaves its namespace. */
function movable(tx: Transaction, row: TaskRow, { to }: Extract<TaskChange, { kind: "move" }>): boolean {
  const { queues, started } = tx.parts;
  const { namespace, name, kind } = queues.byId(row.queue).queue;
  if (row.state !== null || started.get(row.seq) !== undefined) return false;
  return namespace === to.namespace && kind === to.kind && name !== to.name;
}

function released(tx: Transaction, row: TaskRow): (() => void) | undefined {
  const task = tx.parts.started.get(row.seq);
  if (task === undefined) return undefined;
  return () => {
    tellWorker(tx, task);
    returnTask(tx, task, "revoked");
  };
}

function tellWorker(tx: Transaction, task: { readonly namespaceId: number; readonly workerId: string }): void {
  tx.notify(tx.parts.namespaces.nameOf(task.namespaceId), task.workerId);
}
