import type { DispatchedTask } from "@tq/storage";
import { readClosedTask, readHistory, type TaskOptions } from "./columns.ts";
import type { QueueState } from "./queues.ts";
import type { Started } from "./started-task.ts";
import type { FullTaskRow } from "./task-row.ts";
import { closesAt } from "./waiting.ts";
import type { Writable } from "./writable.ts";

/** What a delivery costs in an answer beside its payloads: ids, token, times and the like, rounded up. */
const overheadBytes = 400;

/** About how large a task is in an answer. */
export function dispatchedBytes(row: FullTaskRow): number {
  const { input, headers, history, heartbeat, closed_task } = row;
  return (
    overheadBytes +
    input.length +
    3 * (headers?.length ?? 0) +
    (history?.length ?? 0) +
    (heartbeat?.length ?? 0) +
    (closed_task?.length ?? 0) +
    2 * row.id.length
  );
}

/** A delivery, as the worker gets it. */
export function dispatched(
  row: FullTaskRow,
  queue: QueueState,
  options: TaskOptions,
  lease: Pick<Started, "leaseNo" | "startedAt" | "leaseMs">,
): DispatchedTask {
  const lastAttempt = row.history === null ? undefined : readHistory(row.history).at(-1);
  // The history goes on from run to run; why an earlier run failed is none of this one's business.
  const lastFailure = lastAttempt?.run === row.run ? lastAttempt.failure : undefined;
  const scheduleToCloseAt = closesAt(row, options);
  const task: Writable<DispatchedTask> = {
    lease: { seq: row.seq, leaseNo: lease.leaseNo },
    id: row.id,
    run: row.run,
    queue: queue.queue,
    type: row.type,
    input: row.input,
    attempt: row.attempts + 1,
    priority: row.priority,
    fairnessKey: row.key,
    addedAt: row.added_at,
    startedAt: lease.startedAt,
    leaseMs: lease.leaseMs,
    timeouts: options.timeouts,
    retryPolicy: options.retryPolicy,
  };
  // Rarely there: added to what is the same shape for all others.
  if (row.serial_key !== null) task.serialKey = row.serial_key;
  if (row.headers !== null) task.headers = JSON.parse(row.headers) as Record<string, string>;
  if (scheduleToCloseAt !== undefined) task.scheduleToCloseAt = scheduleToCloseAt;
  if (row.heartbeat !== null) task.heartbeatDetails = row.heartbeat;
  if (lastFailure !== undefined) task.lastFailure = lastFailure;
  if (row.closed_task !== null) task.closedTask = readClosedTask(row.closed_task);
  return task;
}
