/*
 * The steps of a task's life, each of which leaves the tables and the counters in agreement. The verbs are made of these.
 */
import {
  afterFailure,
  afterReturn,
  failedAttemptsKept,
  freeReturns,
  isDead,
  onCloseTaskId,
  retentionMs,
  serverFailure,
  type ClosedState,
} from "@tq/matching-core";
import type { ClosedTaskRecord, FailedAttemptRecord, FailureRecord, NewTask, OutcomeRecord } from "@tq/storage";
import { readHistory, readOptions, writeHistory, type TaskOptions } from "./columns.ts";
import { closedTaskRecord, onCloseTask } from "./on-close.ts";
import type { Placeable } from "./order/order.ts";
import type { QueueState } from "./queues.ts";
import type { Started } from "./started.ts";
import type { Placed, TaskRow } from "./tasks.ts";
import type { Transaction } from "./transaction.ts";

const noInput = new Uint8Array();

/** Where a ready task stands. */
interface Standing {
  readonly placed: Placed | undefined;
  readonly serialPlace: number | undefined;
}

/** A failure of the server's own making. */
export function serverMade(type: string, message: string): FailureRecord {
  return { type, message, nonRetryable: false, encoded: noInput };
}

/** Adds a task. The caller has checked its id; `run` is 1, or one more than that of the task it replaces. */
export function addTask(tx: Transaction, task: NewTask, run: number, closedTask?: ClosedTaskRecord): void {
  const { parts, now } = tx;
  const queue = parts.queues.use(task.queue, () => parts.numbers.next());
  const seq = parts.numbers.next();
  const dueAt = task.startDelayMs > 0 ? now + task.startDelayMs : undefined;
  let standing: Standing = { placed: undefined, serialPlace: undefined };
  if (dueAt === undefined) {
    const { type, priority, fairnessKey: key, fairnessWeight: weight, serialKey } = task;
    standing = makeReady(tx, queue, { seq, type, priority, key, weight, since: now }, serialKey);
  } else {
    parts.timers.set(dueAt, "ready", seq);
    parts.queues.bump(queue, task.type, task.priority, "scheduled", 1);
  }
  parts.tasks.insert(task, {
    seq,
    namespaceId: queue.namespaceId,
    run,
    queueId: queue.id,
    ...standing,
    addedAt: now,
    dueAt,
    closedTask,
  });
  tx.countAdded(queue);
}

/** The delay or back-off of a scheduled task is over. */
export function promoteTask(tx: Transaction, row: TaskRow): void {
  const { parts, now } = tx;
  const queue = parts.queues.byId(row.queue);
  parts.queues.bump(queue, row.type, row.priority, "scheduled", -1);
  const task = { ...placeable(row), since: now };
  if (row.serial_key !== null && row.serial_place !== null) {
    // A back-off kept its turn: it is still the first in line.
    parts.ages.bump(queue, now, 1);
    parts.tasks.setPlaced(row.seq, placeNow(tx, queue, task));
    return;
  }
  const standing = makeReady(tx, queue, task, row.serial_key ?? undefined);
  if (standing.serialPlace !== undefined) parts.tasks.setInLine(row.seq, standing.serialPlace);
  if (standing.placed !== undefined) parts.tasks.setPlaced(row.seq, standing.placed);
}

/** What ended an attempt: its worker's answer, a delivery or lease that was lost, or a timeout. */
export type FailedBy = "worker" | "loss" | "timeout";

/** An attempt failed, its lease expired or its time is over. */
export function failAttempt(tx: Transaction, task: Started, failure: FailureRecord, by: FailedBy): void {
  const { parts, now } = tx;
  const row = rowOf(tx, task);
  const queue = parts.queues.byId(task.queueId);
  const options = optionsOf(row, queue);
  const attempts = row.attempts + 1;
  const attempted = {
    attemptsUsed: row.attempts,
    cancelRequested: task.cancel !== undefined,
    retryPolicy: options.retryPolicy,
  };
  const ending = by === "timeout" ? "timed-out" : "failed";
  const after = afterFailure(attempted, failure, ending, now, parts.random());
  const history = withAttempt(row, task, failure, now);
  const answered = by === "worker" ? task.leaseNo : row.answered;
  if (after.next === "closed") {
    closeStarted(tx, task, after.state, { failure }, { attempts, answered, history });
    return;
  }
  const heartbeat = parts.started.heartbeatDetails(task) ?? row.heartbeat;
  const waits = after.at > now;
  endStarted(tx, task, queue);
  parts.tasks.setRetried(row.seq, { attempts, answered, history, heartbeat, dueAt: after.at });
  parts.queues.bump(queue, row.type, row.priority, "scheduled", 1);
  if (waits) parts.timers.set(after.at, "ready", row.seq);
  else promoteTask(tx, row);
}

/** A delivery came back unused, by a release or because it reached nobody: it gets its old place back. */
export function returnTask(tx: Transaction, task: Started, why: "released" | "undelivered" | "unconfirmed"): void {
  const { parts } = tx;
  const row = rowOf(tx, task);
  const returns = why === "unconfirmed" ? row.returns + 1 : why === "released" ? 0 : row.returns;
  if (returns > freeReturns) {
    const message = `${freeReturns + 1} deliveries in a row were not confirmed by the workers that they went to`;
    failAttempt(tx, task, serverMade(serverFailure.undelivered, message), "loss");
    return;
  }
  const after = afterReturn({ cancelRequested: task.cancel !== undefined });
  // Only a release is an answer of the worker's: one that comes for a delivery that was taken back was never accepted.
  const answered = why === "released" ? task.leaseNo : row.answered;
  if (after.next === "closed") {
    closeStarted(tx, task, after.state, {}, { attempts: row.attempts, answered, history: row.history });
    return;
  }
  const queue = parts.queues.byId(task.queueId);
  const heartbeat = parts.started.heartbeatDetails(task) ?? row.heartbeat;
  endStarted(tx, task, queue);
  parts.order.putBack(queue, { ...placeable(row), since: task.since }, task);
  parts.queues.bump(queue, row.type, row.priority, "ready", 1);
  parts.ages.bump(queue, task.since, 1);
  parts.tasks.setReturned(row.seq, task, { returns, answered, heartbeat });
  tx.touch(queue);
}

/** Closes a started task. */
export function closeStarted(
  tx: Transaction,
  task: Started,
  state: ClosedState,
  why: Pick<OutcomeRecord, "result" | "failure">,
  use: { readonly attempts: number; readonly answered: number | null; readonly history: Buffer | null },
): void {
  const { parts } = tx;
  const row = rowOf(tx, task);
  const queue = parts.queues.byId(task.queueId);
  // How far it came says nothing about a task that completed.
  const details = state === "completed" ? undefined : (parts.started.heartbeatDetails(task) ?? row.heartbeat);
  endStarted(tx, task, queue);
  closeRow(tx, row, queue, { state, closedAt: tx.now, ...why, ...(details && { heartbeatDetails: details }) }, use);
}

/** Closes a task that is scheduled or ready. */
export function closeWaiting(tx: Transaction, row: TaskRow, state: ClosedState, failure?: FailureRecord): void {
  const { parts, now } = tx;
  const queue = parts.queues.byId(row.queue);
  if (row.due_at !== null) {
    parts.timers.clear(row.due_at, "ready", row.seq);
    parts.queues.bump(queue, row.type, row.priority, "scheduled", -1);
  } else if (row.pass !== null && row.place !== null) {
    const since = parts.order.remove(queue, placeable(row), { pass: row.pass, place: row.place });
    parts.ages.bump(queue, since, -1);
    parts.queues.bump(queue, row.type, row.priority, "ready", -1);
  } else {
    parts.queues.bump(queue, row.type, row.priority, "waiting", -1);
  }
  closeRow(
    tx,
    row,
    queue,
    { state, closedAt: now, ...(failure && { failure }) },
    { attempts: row.attempts, answered: row.answered, history: row.history },
  );
}

/** Removes a closed task that was kept. */
export function removeClosed(tx: Transaction, row: TaskRow): void {
  const { parts } = tx;
  const queue = parts.queues.byId(row.queue);
  if (row.kept_until !== null) parts.kept.dropTask(row.seq, row.kept_until);
  if (row.state !== null && isDead(row.state)) parts.queues.bump(queue, row.type, row.priority, "dead", -1);
  parts.queues.bumpClosed(queue, -1);
  parts.tasks.delete(row.seq);
}

/** The row of a started task: as it was dispatched, or read again after a restart. */
export function rowOf(tx: Transaction, task: Started): TaskRow {
  return task.row ?? tx.parts.tasks.row(task.seq);
}

/** What a task says beyond its columns. */
export function optionsOf(row: TaskRow, queue: QueueState): TaskOptions {
  return readOptions(row.options, queue.queue.kind, row.start_to_close_ms);
}

/** The task has become ready: it is placed, or stands in line for its serial key. */
function makeReady(tx: Transaction, queue: QueueState, task: Placeable, serialKey: string | undefined): Standing {
  const { parts } = tx;
  parts.ages.bump(queue, task.since, 1);
  if (serialKey === undefined) return { placed: placeNow(tx, queue, task), serialPlace: undefined };
  const serialPlace = parts.numbers.next();
  const alone = parts.serial.join(queue, serialKey, { place: serialPlace, seq: task.seq, since: task.since });
  if (alone) return { placed: placeNow(tx, queue, task), serialPlace };
  parts.queues.bump(queue, task.type, task.priority, "waiting", 1);
  return { placed: undefined, serialPlace };
}

function placeNow(tx: Transaction, queue: QueueState, task: Placeable): Placed {
  const placed = tx.parts.order.place(queue, task, tx.parts.numbers.next());
  tx.parts.queues.bump(queue, task.type, task.priority, "ready", 1);
  tx.touch(queue);
  return placed;
}

/** It is leased to nobody any more; what follows is the caller's. */
function endStarted(tx: Transaction, task: Started, queue: QueueState): void {
  tx.parts.started.delete(task);
  tx.parts.queues.bump(queue, task.type, task.priority, "started", -1);
}

/** The row of a task that stands nowhere any more becomes a closed one, or goes; what follows its closing is done. */
function closeRow(
  tx: Transaction,
  row: TaskRow,
  queue: QueueState,
  outcome: OutcomeRecord,
  use: { readonly attempts: number; readonly answered: number | null; readonly history: Buffer | null },
): void {
  const { parts, now } = tx;
  const options = optionsOf(row, queue);
  if (row.serial_key !== null && row.serial_place !== null) leaveLine(tx, row, queue, row.serial_key, row.serial_place);
  const keepMs = retentionMs(outcome.state, options.retentionMs);
  if (keepMs === 0) {
    parts.tasks.delete(row.seq);
  } else {
    parts.tasks.setClosed(row.seq, outcome, { ...use, keptUntil: now + keepMs });
    parts.kept.keepTask(row.seq, now + keepMs);
    parts.queues.bumpClosed(queue, 1);
    if (isDead(outcome.state)) parts.queues.bump(queue, row.type, row.priority, "dead", 1);
  }
  if (options.onClose !== undefined) addOnClose(tx, row, queue, options.onClose, outcome, use.attempts);
  tx.closed.push({ namespace: queue.queue.namespace, id: row.id, run: row.run, attempts: use.attempts, outcome });
}

/** The task leaves the line for its serial key; if it was the first, the next one is placed. */
function leaveLine(tx: Transaction, row: TaskRow, queue: QueueState, serialKey: string, serialPlace: number): void {
  const { parts } = tx;
  const wasFirst = parts.serial.first(queue, serialKey)?.place === serialPlace;
  const since = parts.serial.leave(queue, serialKey, serialPlace);
  if (!wasFirst) {
    // It was waiting in line, so it was ready, and in no other place.
    parts.ages.bump(queue, since, -1);
    return;
  }
  const next = parts.serial.first(queue, serialKey);
  if (next === undefined) return;
  const nextRow = parts.tasks.row(next.seq);
  parts.queues.bump(queue, nextRow.type, nextRow.priority, "waiting", -1);
  parts.tasks.setPlaced(next.seq, placeNow(tx, queue, { ...placeable(nextRow), since: next.since }));
}

/** Adds the workflow task that carries the outcome. Never refused. */
function addOnClose(
  tx: Transaction,
  row: TaskRow,
  queue: QueueState,
  onClose: NonNullable<TaskOptions["onClose"]>,
  outcome: OutcomeRecord,
  attempts: number,
): void {
  const own = onCloseTaskId(row.id, row.run);
  let id = own;
  // It is taken where this task was removed and its id used anew, or by somebody's choice: then a number tells them apart.
  for (let n = row.seq; tx.parts.tasks.holder(queue.namespaceId, id) !== undefined; n = tx.parts.numbers.next()) {
    id = `${own}/${n}`;
  }
  const closed = closedTaskRecord(row, queue.queue, { outcome, attempts, context: onClose.context });
  addTask(tx, onCloseTask(id, queue.queue.namespace, onClose), 1, closed);
}

function placeable(row: TaskRow): Omit<Placeable, "since"> {
  const { seq, type, priority, key, weight } = row;
  return { seq, type, priority, key, weight };
}

/** The history with one more failed attempt, of which the last ten are kept. */
function withAttempt(row: TaskRow, task: Started, failure: FailureRecord, now: number): Buffer {
  const attempt: FailedAttemptRecord = {
    attempt: row.attempts + 1,
    workerId: task.workerId,
    startedAt: task.startedAt,
    failedAt: now,
    failure,
  };
  return writeHistory([...readHistory(row.history), attempt].slice(-failedAttemptsKept));
}
