import { serverFailure } from "@tq/matching-core";
import type {
  ExpireOperation,
  ExpireResult,
  FailureRecord,
  PromoteOperation,
  PromoteResult,
  SweepOperation,
  SweepResult,
} from "@tq/storage";
import { failAttempt, promoteTask, removeClosed, serverMade } from "../life.ts";
import { timeOutStarted, timeOutWaiting } from "../overdue.ts";
import { attemptUntil, taskUntil, type Started } from "../started-task.ts";
import type { Transaction } from "../transaction.ts";
import { letKeysGoOn } from "./limits.ts";
import { endPauses } from "./settings.ts";

/** How long a queue that is empty, and has no configuration, keeps its row: a busy one is often empty for a moment. */
export const keepEmptyQueueMs = 10_000;

/** Makes tasks ready whose delay or back-off is over. */
export function promote(tx: Transaction, operation: PromoteOperation): PromoteResult {
  const { timers, tasks } = tx.parts;
  const due = timers.due("ready", tx.now, operation.limit);
  for (const { at, seq } of due) {
    timers.clear("ready", at, seq);
    promoteTask(tx, tasks.row(seq));
  }
  letKeysGoOn(tx, operation.limit);
  endPauses(tx, operation.limit);
  return { verb: "promote", promoted: due.length };
}

/** Ends attempts whose lease or time is over, and sees to tasks whose own is. */
export function expire(tx: Transaction, { limit }: ExpireOperation): ExpireResult {
  const { namespaces, started, tasks, timers } = tx.parts;
  const due = started.due(tx.now, limit);
  let timedOut = 0;
  for (const task of due) {
    tx.notify(namespaces.nameOf(task.namespaceId), task.workerId);
    if (taskUntil(task) <= tx.now) {
      timeOutStarted(tx, task);
      timedOut += 1;
      continue;
    }
    const isTimeout = attemptUntil(task) <= tx.now;
    failAttempt(tx, task, isTimeout ? timeoutOf(task, tx.now) : leaseLost(task), isTimeout ? "timeout" : "loss");
  }
  const expired = due.length - timedOut;
  // Those that end for good first: what is past both is not moved before it closes.
  for (const kind of ["close", "start"] as const) {
    const over = timers.due(kind, tx.now, limit);
    for (const { seq } of over) timeOutWaiting(tx, tasks.row(seq));
    timedOut += over.length;
  }
  return { verb: "expire", expired, timedOut };
}

function leaseLost(task: Started): FailureRecord {
  const message = `the lease of ${task.leaseMs} ms was not renewed by worker ${task.workerId}`;
  return serverMade(serverFailure.workerLost, message);
}

function timeoutOf(task: Started, now: number): FailureRecord {
  const byStart = task.startToCloseMs !== null && task.startedAt + task.startToCloseMs <= now;
  return byStart
    ? serverMade(serverFailure.startToClose, `the attempt took longer than its ${task.startToCloseMs} ms`)
    : serverMade(serverFailure.heartbeat, `no heartbeat came for ${task.heartbeatMs} ms`);
}

/** Removes what has been kept long enough. */
export function sweep(tx: Transaction, operation: SweepOperation): SweepResult {
  const { kept, tasks, queues, passes, limits, events, drainedWorkers } = tx.parts;
  const { now } = tx;
  const { limit } = operation;
  const due = kept.dueTasks(now, limit);
  for (const { seq } of due) removeClosed(tx, tasks.row(seq));
  let removed = due.length;
  for (const seq of removed < limit ? tasks.dueCompleted(now, limit - removed) : []) {
    removeClosed(tx, tasks.row(seq));
    removed += 1;
  }
  removed += kept.dropRequests(now, limit - removed);
  removed += events.drop(now, limit - removed);
  removed += drainedWorkers.drop(now, limit - removed);
  if (removed < limit) removed += tasks.giveUpSparse(now, limit - removed);
  removed += queues.removeEmpty(now, keepEmptyQueueMs, limit - removed);
  if (removed < limit) removed += passes.prune(now, limit - removed, (id) => queues.virtualTimesOf(id));
  if (removed < limit) removed += limits.prune(now, limit - removed);
  return { verb: "sweep", removed };
}
