import type { TaskQueueKind } from "@tq/matching-core";
import type { TaskTimeouts } from "@tq/proto";
import type { TimeoutsRecord } from "@tq/storage";
import { readDurationMs, upToTenYears } from "../validation/numbers.ts";
import type { Violations } from "../validation/violations.ts";
import { toDuration } from "./time.ts";
import type { Writable } from "./writable.ts";

/** What holds for a task that names none: an attempt may take an hour, one of a workflow task, which only decides, 10 s. */
const byDefault: Readonly<Record<TaskQueueKind, TimeoutsRecord & { readonly startToCloseMs: number }>> = {
  activity: { startToCloseMs: 3_600_000 },
  workflow: { startToCloseMs: 10_000 },
};

/** The timeouts of a new task, with their defaults. 0 asks for none. */
export function readTimeouts(
  message: TaskTimeouts | undefined,
  kind: TaskQueueKind,
  violations: Violations,
): TimeoutsRecord {
  if (message === undefined) return byDefault[kind];
  const record: Writable<TimeoutsRecord> = {};
  const scheduleToStart = readDurationMs(
    message.scheduleToStart,
    upToTenYears,
    "timeouts.schedule_to_start",
    violations,
  );
  const startToClose =
    readDurationMs(message.startToClose, upToTenYears, "timeouts.start_to_close", violations) ??
    byDefault[kind].startToCloseMs;
  const scheduleToClose = readDurationMs(
    message.scheduleToClose,
    upToTenYears,
    "timeouts.schedule_to_close",
    violations,
  );
  const heartbeat = readDurationMs(message.heartbeat, upToTenYears, "timeouts.heartbeat", violations);
  if (startToClose !== 0) record.startToCloseMs = startToClose;
  // Refused, not ignored: a task that counts on a deadline must not be taken without it.
  if (scheduleToStart !== undefined && scheduleToStart !== 0) {
    violations.add("NOT_BUILT", "timeouts.schedule_to_start", "is not built yet; leave it unset");
  }
  if (scheduleToClose !== undefined && scheduleToClose !== 0) {
    violations.add("NOT_BUILT", "timeouts.schedule_to_close", "is not built yet; leave it unset");
  }
  if (heartbeat !== undefined && heartbeat !== 0) record.heartbeatMs = heartbeat;
  return record;
}

/** Timeouts as a message; what is without limit is unset. */
export function toTimeoutsMessage(record: TimeoutsRecord): TaskTimeouts {
  const message: TaskTimeouts = { $typeName: "tq.v1.TaskTimeouts" };
  if (record.scheduleToStartMs !== undefined) message.scheduleToStart = toDuration(record.scheduleToStartMs);
  if (record.startToCloseMs !== undefined) message.startToClose = toDuration(record.startToCloseMs);
  if (record.scheduleToCloseMs !== undefined) message.scheduleToClose = toDuration(record.scheduleToCloseMs);
  if (record.heartbeatMs !== undefined) message.heartbeat = toDuration(record.heartbeatMs);
  return message;
}
