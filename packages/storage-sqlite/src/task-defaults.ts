import { defaultRetryPolicy, defaultStartToCloseMs } from "@tq/matching-core";
import type { NewTask, TaskQueueConfig, TimeoutsRecord } from "@tq/storage";
import type { TaskOptions } from "./columns.ts";

/** What a new task says beyond its columns: what it leaves open is its queue's default, else its kind's. */
export function withDefaults(task: NewTask, config: TaskQueueConfig): TaskOptions {
  const { kind } = task.queue;
  const { timeouts, fallback, onClose, retentionMs } = task;
  return {
    retryPolicy: task.retryPolicy ?? config.defaultRetryPolicy ?? defaultRetryPolicy(kind),
    timeouts: resolved({
      scheduleToStartMs: timeouts.scheduleToStartMs ?? config.defaultScheduleToStartMs ?? 0,
      startToCloseMs: timeouts.startToCloseMs ?? config.defaultStartToCloseMs ?? defaultStartToCloseMs(kind),
      scheduleToCloseMs: timeouts.scheduleToCloseMs ?? config.defaultScheduleToCloseMs ?? 0,
      heartbeatMs: timeouts.heartbeatMs ?? 0,
    }),
    ...(fallback && { fallback }),
    ...(onClose && { onClose }),
    ...(retentionMs !== undefined && { retentionMs }),
  };
}

/** 0 asks for none, which is said by absence from here on. */
function resolved({
  scheduleToStartMs,
  startToCloseMs,
  scheduleToCloseMs,
  heartbeatMs,
}: Required<TimeoutsRecord>): TimeoutsRecord {
  return {
    ...(scheduleToStartMs > 0 && { scheduleToStartMs }),
    ...(startToCloseMs > 0 && { startToCloseMs }),
    ...(scheduleToCloseMs > 0 && { scheduleToCloseMs }),
    ...(heartbeatMs > 0 && { heartbeatMs }),
  };
}
