import type { DispatchedTask } from "@tq/storage";
import { readClosedTask, readHistory, type TaskOptions } from "./columns.ts";
import type { QueueState } from "./queues.ts";
import type { Started } from "./started.ts";
import type { FullTaskRow } from "./tasks.ts";
import { closesAt } from "./waiting.ts";

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
  return {
    lease: { seq: row.seq, leaseNo: lease.leaseNo },
    id: row.id,
    run: row.run,
    queue: queue.queue,
    type: row.type,
    input: row.input,
    attempt: row.attempts + 1,
    priority: row.priority,
    fairnessKey: row.key,
    ...(row.serial_key !== null && { serialKey: row.serial_key }),
    ...(row.headers !== null && { headers: JSON.parse(row.headers) as Record<string, string> }),
    addedAt: row.added_at,
    startedAt: lease.startedAt,
    leaseMs: lease.leaseMs,
    timeouts: options.timeouts,
    retryPolicy: options.retryPolicy,
    ...(scheduleToCloseAt !== undefined && { scheduleToCloseAt }),
    ...(row.heartbeat !== null && { heartbeatDetails: row.heartbeat }),
    ...(lastFailure && { lastFailure }),
    ...(row.closed_task !== null && { closedTask: readClosedTask(row.closed_task) }),
  };
}
