/* Tasks past their schedule-to-start or their schedule-to-close. */
import { serverFailure } from "@tq/matching-core";
import type { FailureRecord } from "@tq/storage";
import type { TaskOptions } from "./columns.ts";
import { canceled, closeStarted, closeWaiting, rowOf, serverMade } from "./life.ts";
import { fallBack } from "./moves.ts";
import type { Started } from "./started-task.ts";
import { optionsOf } from "./tasks.ts";
import type { TaskRow } from "./task-row.ts";
import type { Transaction } from "./transaction.ts";
import { closesAt } from "./waiting.ts";

/**
 * Whether a ready task is past its schedule-to-start or its schedule-to-close. It must not be dispatched then, whether
 * or not the timer was seen to: {@link timeOutWaiting} is what follows.
 *
 * @param since when it became ready
 */
export function isOverdue(options: TaskOptions, row: TaskRow, since: number, now: number): boolean {
  const { scheduleToStartMs } = options.timeouts;
  if (scheduleToStartMs !== undefined && since + scheduleToStartMs <= now) return true;
  return (closesAt(row, options) ?? Infinity) <= now;
}

/** A started task is past its schedule-to-close. No attempt is used: it is the task that ends, not the attempt. */
export function timeOutStarted(tx: Transaction, task: Started): void {
  const row = rowOf(tx, task);
  const { attempts, answered, history } = row;
  const use = { attempts, answered, history };
  if (task.cancel !== undefined) {
    closeStarted(tx, task, "canceled", { failure: canceled(task.cancel.reason) }, use);
    return;
  }
  const { timeouts } = optionsOf(row, tx.parts.queues.byId(task.queueId));
  closeStarted(tx, task, "timed-out", { failure: notClosed(timeouts.scheduleToCloseMs) }, use);
}

/**
 * A waiting task is past its schedule-to-close, or a ready one past its schedule-to-start: it closes as timed out, or goes
 * to its fallback. Which of the two is over is found here; the first if both are. No attempt is used.
 */
export function timeOutWaiting(tx: Transaction, row: TaskRow): void {
  const options = optionsOf(row, tx.parts.queues.byId(row.queue));
  const { scheduleToStartMs, scheduleToCloseMs } = options.timeouts;
  if ((closesAt(row, options) ?? Infinity) <= tx.now) {
    closeWaiting(tx, row, "timed-out", { failure: notClosed(scheduleToCloseMs) });
    return;
  }
  if (scheduleToStartMs === undefined) throw new Error(`task ${row.seq} is past no deadline`);
  if (options.fallback !== undefined) {
    fallBack(tx, row);
    return;
  }
  const failure = serverMade(serverFailure.scheduleToStart, `it was not started within ${scheduleToStartMs} ms`);
  closeWaiting(tx, row, "timed-out", { failure });
}

function notClosed(scheduleToCloseMs: number | undefined): FailureRecord {
  return serverMade(serverFailure.scheduleToClose, `it did not close within ${scheduleToCloseMs} ms`);
}
