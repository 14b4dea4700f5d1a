import type { TaskTimeouts } from "@tq/proto";
import type { NewTimeouts, TimeoutsRecord } from "@tq/storage";
import { readDurationMs, upToTenYears } from "../validation/numbers.ts";
import type { Violations } from "../validation/violations.ts";
import { toDuration } from "./time.ts";
import type { Writable } from "./writable.ts";

/** A task that says nothing of its timeouts: its queue's defaults hold, else those of its kind. */
const unsaid: NewTimeouts = {};

/** The timeouts that a new task asks for; 0 asks for none. What is unset is left to its queue. */
export function readTimeouts(message: TaskTimeouts | undefined, violations: Violations): NewTimeouts {
  if (message === undefined) return unsaid;
  const record: Writable<NewTimeouts> = {};
  const read = (duration: TaskTimeouts["heartbeat"], field: string): number | undefined =>
    readDurationMs(duration, upToTenYears, `timeouts.${field}`, violations);
  const scheduleToStartMs = read(message.scheduleToStart, "schedule_to_start");
  const startToCloseMs = read(message.startToClose, "start_to_close");
  const scheduleToCloseMs = read(message.scheduleToClose, "schedule_to_close");
  const heartbeatMs = read(message.heartbeat, "heartbeat");
  if (scheduleToStartMs !== undefined) record.scheduleToStartMs = scheduleToStartMs;
  if (startToCloseMs !== undefined) record.startToCloseMs = startToCloseMs;
  if (scheduleToCloseMs !== undefined) record.scheduleToCloseMs = scheduleToCloseMs;
  if (heartbeatMs !== undefined) record.heartbeatMs = heartbeatMs;
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
