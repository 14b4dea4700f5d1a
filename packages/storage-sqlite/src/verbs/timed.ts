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
import { attemptUntil, type Started } from "../started.ts";
import type { Transaction } from "../transaction.ts";

/** How long a queue that is empty, and has no configuration, keeps its row: a busy one is often empty for a moment. */
export const keepEmptyQueueMs = 10_000;

/** Makes tasks ready whose delay or back-off is over. */
export function promote(tx: Transaction, operation: PromoteOperation): PromoteResult {
  const { timers, tasks } = tx.parts;
  const due = timers.due(tx.now, operation.limit);
  for (const { at, kind, seq } of due) {
    timers.clear(at, kind, seq);
    promoteTask(tx, tasks.row(seq));
  }
  return { verb: "promote", promoted: due.length };
}

/** Ends attempts whose lease or time is over. */
export function expire(tx: Transaction, operation: ExpireOperation): ExpireResult {
  const due = tx.parts.started.due(tx.now, operation.limit);
  for (const task of due) {
    const namespace = tx.parts.namespaces.nameOf(task.namespaceId);
    tx.notify(namespace, task.workerId);
    const isTimeout = attemptUntil(task) <= tx.now;
    failAttempt(tx, task, isTimeout ? timeoutOf(task, tx.now) : leaseLost(task), isTimeout ? "timeout" : "loss");
  }
  return { verb: "expire", expired: due.length };
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
  const { kept, tasks, queues, passes } = tx.parts;
  const { now } = tx;
  const { limit } = operation;
  const due = kept.dueTasks(now, limit);
  for (const { seq } of due) removeClosed(tx, tasks.row(seq));
  let removed = due.length;
  removed += kept.dropRequests(now, limit - removed);
  removed += queues.removeEmpty(now, keepEmptyQueueMs, limit - removed);
  if (removed < limit) removed += passes.prune(now, limit - removed, (id) => queues.byId(id));
  return { verb: "sweep", removed };
}
