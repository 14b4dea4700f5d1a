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
import { readHistory, writeHistory, type TaskOptions } from "./columns.ts";
import { arriveAtFallback, useQueue } from "./moves.ts";
import { closedTaskRecord, onCloseTask } from "./on-close.ts";
import type { QueueState } from "./queues.ts";
import type { Started } from "./started-task.ts";
import { withDefaults } from "./task-defaults.ts";
import { optionsOf } from "./tasks.ts";
import type { TaskRow } from "./task-row.ts";
import type { Transaction } from "./transaction.ts";
import { startedEnded } from "./verbs/limits.ts";
import {
  becomeReady,
  becomeReadyAgain,
  closesAt,
  given,
  leaveLine,
  placeable,
  putBack,
  takeOut,
  waitedSince,
} from "./waiting.ts";
import type { Standing } from "./waiting.ts";
import type { Writable } from "./writable.ts";

const noInput = new Uint8Array();

/** How a task closes, beside the state and the time. */
interface Closing extends Pick<OutcomeRecord, "result" | "failure"> {
  /** Leaves out its on-close task. */
  readonly silent?: boolean;
}

/** What a closed task is to say of its attempts. */
interface Use {
  readonly attempts: number;
  readonly answered: number | null;
  readonly history: Buffer | null;
}

/** A failure of the server's own making. */
export function serverMade(type: string, message: string): FailureRecord {
  return { type, message, nonRetryable: false, encoded: noInput };
}

/** Why a task was canceled, where its worker says nothing of it. */
export function canceled(reason: string): FailureRecord {
  return serverMade(serverFailure.canceled, reason === "" ? "canceled" : reason);
}

/** Adds a task. The caller has checked its id; `run` is 1, or one more than that of the task it replaces. */
export function addTask(tx: Transaction, task: NewTask, run: number, closedTask?: ClosedTaskRecord): void {
  const { parts, now } = tx;
  const queue = useQueue(tx, task.queue);
  const seq = parts.numbers.next();
  const options = withDefaults(task, queue.config);
  const dueAt = task.startDelayMs > 0 ? now + task.startDelayMs : undefined;
  let standing: Standing = { placed: undefined, serialPlace: undefined };
  if (dueAt === undefined) {
    const { type, priority, fairnessKey: key, fairnessWeight: weight, serialKey } = task;
    standing = becomeReady(tx, queue, { seq, type, priority, key, weight, since: now }, serialKey, options, seq);
  } else {
    parts.timers.set("ready", dueAt, seq);
    parts.queues.bump(queue, task.type, task.priority, "scheduled", 1);
  }
  parts.tasks.insert(task, {
    seq,
    namespaceId: queue.namespaceId,
    run,
    queueId: queue.id,
    placed: standing.placed,
    serialPlace: standing.serialPlace,
    addedAt: now,
    dueAt,
    closedTask,
    options,
  });
  setCloseTimer(tx, { seq, added_at: now }, options);
  tx.countAdded(queue);
}

/** The delay or back-off of a scheduled task is over. */
export function promoteTask(tx: Transaction, row: TaskRow): void {
  const { parts, now } = tx;
  const queue = parts.queues.byId(row.queue);
  const options = given(row, queue);
  parts.queues.bump(queue, row.type, row.priority, "scheduled", -1);
  const task = { ...placeable(row), since: now };
  if (row.serial_key !== null && row.serial_place !== null) {
    parts.tasks.setPlaced(row.seq, becomeReadyAgain(tx, queue, task, options));
    return;
  }
  const standing = becomeReady(tx, queue, task, row.serial_key ?? undefined, options);
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
    // A worker's own failure says more than the request that it gave way to; that a lease was lost does not.
    const isOwn = after.state !== "canceled" || by === "worker";
    const closing = { failure: isOwn ? failure : canceled(task.cancel?.reason ?? "") };
    closeStarted(tx, task, after.state, closing, { attempts, answered, history });
    return;
  }
  const heartbeat = parts.started.heartbeatDetails(task) ?? row.heartbeat;
  const waits = after.at > now;
  endStarted(tx, task, queue);
  parts.tasks.setRetried(row.seq, { attempts, answered, history, heartbeat, dueAt: after.at });
  parts.queues.bump(queue, row.type, row.priority, "scheduled", 1);
  setCloseTimer(tx, row, options);
  if (waits) parts.timers.set("ready", after.at, row.seq);
  else promoteTask(tx, row);
}

/**
 * How a delivery came back: its worker released it, perhaps for the fallback queue; it reached nobody, or nobody said
 * that it did; or an operator took it back.
 */
export type CameBack = "released" | "released-to-fallback" | "undelivered" | "unconfirmed" | "revoked";

/** A delivery came back unused: the task gets its old place back, or goes to its fallback if that is asked for and it has one. */
export function returnTask(tx: Transaction, task: Started, why: CameBack): void {
  const { parts } = tx;
  const row = rowOf(tx, task);
  const isRelease = why === "released" || why === "released-to-fallback";
  const returns = why === "unconfirmed" ? row.returns + 1 : isRelease ? 0 : row.returns;
  if (returns > freeReturns) {
    const message = `${freeReturns + 1} deliveries in a row were not confirmed by the workers that they went to`;
    failAttempt(tx, task, serverMade(serverFailure.undelivered, message), "loss");
    return;
  }
  const after = afterReturn({ cancelRequested: task.cancel !== undefined });
  // Only a release is an answer of the worker's: one that comes for a delivery that was taken back was never accepted.
  const answered = isRelease ? task.leaseNo : row.answered;
  if (after.next === "closed") {
    const { attempts, history } = row;
    const failure = canceled(task.cancel?.reason ?? "");
    closeStarted(tx, task, after.state, { failure }, { attempts, answered, history });
    return;
  }
  const queue = parts.queues.byId(task.queueId);
  const options = given(row, queue);
  const heartbeat = parts.started.heartbeatDetails(task) ?? row.heartbeat;
  endStarted(tx, task, queue);
  if (options !== undefined) setCloseTimer(tx, row, options);
  if (why === "released-to-fallback" && options?.fallback !== undefined) {
    leaveLine(tx, row, queue);
    const since = waitedSince(tx, task);
    arriveAtFallback(tx, row, options, { since, returns, answered, heartbeat });
    return;
  }
  putBack(tx, queue, row, task, options);
  parts.tasks.setReturned(row.seq, task, { returns, answered, heartbeat });
}

/** Closes a started task. */
export function closeStarted(tx: Transaction, task: Started, state: ClosedState, how: Closing, use: Use): void {
  const { parts } = tx;
  const row = rowOf(tx, task);
  const queue = parts.queues.byId(task.queueId);
  // How far it came says nothing about a task that completed.
  const details = state === "completed" ? undefined : (parts.started.heartbeatDetails(task) ?? row.heartbeat);
  endStarted(tx, task, queue, state === "completed");
  leaveLine(tx, row, queue);
  closeRow(tx, row, queue, optionsOf(row, queue), outcomeOf(tx, state, how, details), use, how.silent);
}

/** Closes a task that is scheduled or ready. */
export function closeWaiting(tx: Transaction, row: TaskRow, state: ClosedState, how: Closing): void {
  const { parts } = tx;
  const queue = parts.queues.byId(row.queue);
  const options = optionsOf(row, queue);
  takeOut(tx, row, queue, options);
  const closeAt = closesAt(row, options);
  if (closeAt !== undefined) parts.timers.clear("close", closeAt, row.seq);
  closeRow(tx, row, queue, options, outcomeOf(tx, state, how, row.heartbeat), row, how.silent);
}

/** Removes a closed task that was kept. */
export function removeClosed(tx: Transaction, row: TaskRow): void {
  noLongerClosed(tx, row);
  tx.parts.tasks.delete(row);
}

/**
 * Opens a dead task again: the same id, the next run, at the tail. Attempts and timeouts begin anew, and what the last
 * run reached is not handed on; the failed attempts stay to be read.
 */
export function redriveTask(tx: Transaction, row: TaskRow): void {
  const { parts, now } = tx;
  const queue = parts.queues.byId(row.queue);
  const options = optionsOf(row, queue);
  noLongerClosed(tx, row);
  // A new number, so that it comes behind everything in order of adding, and no token of the last run is current.
  const seq = parts.numbers.next();
  const task = { ...placeable(row), seq, since: now };
  const standing = becomeReady(tx, queue, task, row.serial_key ?? undefined, options);
  parts.tasks.setRedriven(row, { seq, addedAt: now, ...standing });
  setCloseTimer(tx, { seq, added_at: now }, options);
  tx.countAdded(queue);
}

/** The row of a started task: as it was dispatched, or read again after a restart. */
export function rowOf(tx: Transaction, task: Started): TaskRow {
  return task.row ?? tx.parts.tasks.row(task.seq);
}

/** A task waits that has a schedule-to-close: the time of it. */
function setCloseTimer(tx: Transaction, row: Pick<TaskRow, "seq" | "added_at">, options: TaskOptions): void {
  const at = closesAt(row, options);
  if (at !== undefined) tx.parts.timers.set("close", at, row.seq);
}

/** A closed task is not counted, and not kept, as such any more. */
function noLongerClosed(tx: Transaction, row: TaskRow): void {
  const { parts } = tx;
  const queue = parts.queues.byId(row.queue);
  if (row.state !== null && isDead(row.state)) parts.queues.bump(queue, row.type, row.priority, "dead", -1);
  parts.queues.bumpClosed(queue, -1);
}

/** It is leased to nobody any more; what follows is the caller's. */
function endStarted(tx: Transaction, task: Started, queue: QueueState, completed = false): void {
  tx.parts.started.end(task, completed);
  tx.parts.queues.bump(queue, task.type, task.priority, "started", -1);
  startedEnded(tx, queue, task.key);
}

function outcomeOf(
  { now }: Transaction,
  state: ClosedState,
  { result, failure }: Closing,
  heartbeatDetails: Buffer | null | undefined,
): OutcomeRecord {
  const outcome: Writable<OutcomeRecord> = { state, closedAt: now };
  if (result !== undefined) outcome.result = result;
  if (failure !== undefined) outcome.failure = failure;
  if (heartbeatDetails) outcome.heartbeatDetails = heartbeatDetails;
  return outcome;
}

/** The row of a task that stands nowhere any more becomes a closed one, or goes; what follows its closing is done. */
function closeRow(
  tx: Transaction,
  row: TaskRow,
  queue: QueueState,
  options: TaskOptions,
  outcome: OutcomeRecord,
  { attempts, answered, history }: Use,
  silent = false,
): void {
  const { parts, now } = tx;
  const keepMs = retentionMs(outcome.state, options.retentionMs, queue.config);
  if (keepMs === 0) {
    parts.tasks.delete(row);
  } else {
    const use = { attempts, answered, history, keptUntil: now + keepMs };
    parts.tasks.setClosed(row.seq, outcome, use, () => parts.numbers.next());
    parts.queues.bumpClosed(queue, 1);
    if (isDead(outcome.state)) parts.queues.bump(queue, row.type, row.priority, "dead", 1);
  }
  if (options.onClose !== undefined && !silent) addOnClose(tx, row, queue, options.onClose, outcome, attempts);
  tx.closed.push({ namespace: queue.queue.namespace, id: row.id, run: row.run, attempts, outcome });
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

/** The history with one more failed attempt, of which the last ten are kept. */
function withAttempt(row: TaskRow, task: Started, failure: FailureRecord, now: number): Buffer {
  const attempt: FailedAttemptRecord = {
    run: row.run,
    attempt: row.attempts + 1,
    workerId: task.workerId,
    startedAt: task.startedAt,
    failedAt: now,
    failure,
  };
  return writeHistory([...readHistory(row.history), attempt].slice(-failedAttemptsKept));
}
