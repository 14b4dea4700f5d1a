import {
  WaitReason as WaitReasonMessage,
  type TaskCounts as TaskCountsMessage,
  type TaskQueueDescription,
  type TaskQueueSummary,
  type WaitingTasks as WaitingTasksMessage,
  type WorkerSummary,
} from "@tq/proto";
import { create } from "@bufbuild/protobuf";
import { TaskQueueDescriptionSchema, WorkerStatusSchema, type DrainInfo, type PauseInfo } from "@tq/proto";
import { takesTasks } from "@tq/matching-core";
import type { DrainRecord, PauseRecord, TaskCounts, TaskQueueRecord } from "@tq/storage";
import { registrationDifferences } from "../describe/registration-differences.ts";
import { pauseAt, waitReasons, type WaitingTasks, type WaitReason } from "../describe/wait-reasons.ts";
import { wantedSlots } from "../describe/wanted-slots.ts";
import type { QueueActivity } from "../matching/matching.ts";
import { toConfigMessage } from "./queue-config.ts";
import { toTaskQueueRef } from "./task-queue.ts";
import { toDuration, toTimestamp } from "./time.ts";

/** A queue in one line, as a message. */
export function toQueueSummary(record: TaskQueueRecord, activity: QueueActivity, now: number): TaskQueueSummary {
  const [reason] = waitReasons({ record, activity, now });
  const message: TaskQueueSummary = {
    $typeName: "tq.v1.TaskQueueSummary",
    taskQueue: toTaskQueueRef(record.queue),
    counts: toCountsMessage(record.counts),
    liveWorkers: activity.workers.length,
    paused: pauseAt(record, now) !== undefined,
    draining: record.drain !== undefined,
  };
  if (record.oldestReadyAt !== undefined) message.oldestReadyAge = toDuration(Math.max(0, now - record.oldestReadyAt));
  if (reason !== undefined) message.reason = toWaitingMessage(reason);
  return message;
}

/** Everything that is known of a queue, as a message. */
export function toQueueDescription(
  record: TaskQueueRecord,
  activity: QueueActivity,
  now: number,
): TaskQueueDescription {
  const { addsPerSecond, dispatchesPerSecond, workers } = activity;
  const { ratePerSecond = activity.askedRate, maxStarted } = record.config;
  const pause = pauseAt(record, now);
  const limits = {
    paused: pause !== undefined,
    ...(ratePerSecond !== undefined && { ratePerSecond }),
    ...(maxStarted !== undefined && { maxStarted }),
  };
  const message = create(TaskQueueDescriptionSchema, {
    taskQueue: toTaskQueueRef(record.queue),
    counts: toCountsMessage(record.counts),
    addsPerSecond,
    dispatchesPerSecond,
    workers: workers.map((worker) => toWorkerSummary(worker, record.startedByWorker.get(worker.workerId) ?? 0)),
    registrationDifferences: registrationDifferences(workers, record.queue.kind).map((difference) => ({
      type: difference.type,
      workerIdsWith: [...difference.workerIdsWith],
      workerIdsWithout: [...difference.workerIdsWithout],
    })),
    wantedSlots: wantedSlots({ ...record.counts, ...limits, addsPerSecond, dispatchesPerSecond }),
    reasons: waitReasons({ record, activity, now }).map(toWaitingMessage),
    config: toConfigMessage(record.config),
  });
  if (pause !== undefined) message.pause = toPauseMessage(pause);
  if (record.drain !== undefined) message.drain = toDrainMessage(record.drain);
  for (const [priority, counts] of record.byPriority) message.countsByPriority[priority] = toCountsMessage(counts);
  // A type may be named like a property of every object.
  const byType = new Map([...record.byType].map(([type, counts]) => [type, toCountsMessage(counts)]));
  message.countsByType = Object.fromEntries(byType);
  if (record.oldestReadyAt !== undefined) message.oldestReadyAge = toDuration(Math.max(0, now - record.oldestReadyAt));
  return message;
}

const reasonMessage: Readonly<Record<WaitReason, WaitReasonMessage>> = {
  "store-unavailable": WaitReasonMessage.STORE_UNAVAILABLE,
  "no-workers": WaitReasonMessage.NO_WORKERS,
  "missing-type": WaitReasonMessage.MISSING_TYPE,
  "no-free-slots": WaitReasonMessage.NO_FREE_SLOTS,
  paused: WaitReasonMessage.PAUSED,
  "rate-limited": WaitReasonMessage.RATE_LIMITED,
  "key-rate-limited": WaitReasonMessage.KEY_RATE_LIMITED,
  "max-started": WaitReasonMessage.MAX_STARTED,
  "key-max-started": WaitReasonMessage.KEY_MAX_STARTED,
  "serial-key-busy": WaitReasonMessage.SERIAL_KEY_BUSY,
  "all-delayed": WaitReasonMessage.ALL_DELAYED,
};

/** A reason why tasks wait, as a message. */
export function toWaitingMessage(waiting: WaitingTasks): WaitingTasksMessage {
  const message: WaitingTasksMessage = {
    $typeName: "tq.v1.WaitingTasks",
    reason: reasonMessage[waiting.reason],
    count: BigInt(waiting.count),
    hint: waiting.hint,
  };
  if (waiting.since !== undefined) message.since = toTimestamp(waiting.since);
  return message;
}

/** A pause as a message. */
export function toPauseMessage({ actor, reason, since, until }: PauseRecord): PauseInfo {
  const message: PauseInfo = { $typeName: "tq.v1.PauseInfo", actor, reason, since: toTimestamp(since) };
  if (until !== undefined) message.until = toTimestamp(until);
  return message;
}

/** A drain as a message. */
export function toDrainMessage({ actor, reason, since }: DrainRecord): DrainInfo {
  return { $typeName: "tq.v1.DrainInfo", actor, reason, since: toTimestamp(since) };
}

/** Counts as a message. */
export function toCountsMessage(counts: TaskCounts): TaskCountsMessage {
  return {
    $typeName: "tq.v1.TaskCounts",
    scheduled: BigInt(counts.scheduled),
    ready: BigInt(counts.ready),
    started: BigInt(counts.started),
    dead: BigInt(counts.dead),
  };
}

function toWorkerSummary(worker: QueueActivity["workers"][number], started: number): WorkerSummary {
  const message: WorkerSummary = {
    $typeName: "tq.v1.WorkerSummary",
    workerId: worker.workerId,
    identity: worker.identity,
    buildId: worker.buildId,
    lastSeen: toTimestamp(worker.lastSeen),
    freeSlots: worker.freeSlots,
    started,
    draining: !takesTasks(worker),
  };
  if (worker.status !== undefined) message.status = create(WorkerStatusSchema, worker.status);
  return message;
}
