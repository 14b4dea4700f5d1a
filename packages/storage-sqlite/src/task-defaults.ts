import { defaultRetryPolicy, defaultStartToCloseMs, type TaskQueueKind } from "@tq/matching-core";
import type { NewTask, TaskQueueConfig, TimeoutsRecord } from "@tq/storage";
import type { TaskOptions } from "./columns.ts";
import type { Writable } from "./writable.ts";

/** What a new task says beyond its columns: what it leaves open is its queue's default, else its kind's. */
export function withDefaults(task: NewTask, config: TaskQueueConfig): TaskOptions {
  const { kind } = task.queue;
  const { fallback, onClose, retentionMs } = task;
  const options: Writable<TaskOptions> = {
    retryPolicy: task.retryPolicy ?? config.defaultRetryPolicy ?? defaultRetryPolicy(kind),
    timeouts: timeoutsOf(task.timeouts, config, kind),
  };
  if (fallback !== undefined) options.fallback = fallback;
  if (onClose !== undefined) options.onClose = onClose;
  if (retentionMs !== undefined) options.retentionMs = retentionMs;
  return options;
}

/** 0 asks for none, which is said by absence from here on. */
function timeoutsOf(asked: TimeoutsRecord, config: TaskQueueConfig, kind: TaskQueueKind): TimeoutsRecord {
  const toStart = asked.scheduleToStartMs ?? config.defaultScheduleToStartMs ?? 0;
  const startToClose = asked.startToCloseMs ?? config.defaultStartToCloseMs ?? defaultStartToCloseMs(kind);
  const toClose = asked.scheduleToCloseMs ?? config.defaultScheduleToCloseMs ?? 0;
  const heartbeat = asked.heartbeatMs ?? 0;
  const timeouts: Writable<TimeoutsRecord> = {};
  if (toStart > 0) timeouts.scheduleToStartMs = toStart;
  if (startToClose > 0) timeouts.startToCloseMs = startToClose;
  if (toClose > 0) timeouts.scheduleToCloseMs = toClose;
  if (heartbeat > 0) timeouts.heartbeatMs = heartbeat;
  return timeouts;
}
