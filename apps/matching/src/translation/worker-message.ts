import { create } from "@bufbuild/protobuf";
import { takesTasks, type LiveWorker, type TypeSet } from "@tq/matching-core";
import { RegistrationsSchema, WorkerStatusSchema, type HeldTask, type WorkerDescription } from "@tq/proto";
import type { HeldTaskRecord } from "@tq/storage";
import { decodePayload } from "./payload-codec.ts";
import { toTaskQueueRef } from "./task-queue.ts";
import { toTimestamp } from "./time.ts";

/** What is known of a worker: what memory has, if it lives, and how many tasks it holds. */
export interface KnownWorker {
  readonly workerId: string;
  readonly live: LiveWorker | undefined;
  /** An operator drains it. */
  readonly drained: boolean;
  readonly started: number;
}

/** A worker as a message. Of one that does not live, little more is known than what it holds. */
export function toWorkerMessage(
  { workerId, live, drained, started }: KnownWorker,
  held: readonly HeldTaskRecord[] = [],
): WorkerDescription {
  const message: WorkerDescription = {
    $typeName: "tq.v1.WorkerDescription",
    workerId,
    identity: live?.identity ?? "",
    buildId: live?.buildId ?? "",
    live: live !== undefined,
    draining: drained || (live !== undefined && !takesTasks(live)),
    taskQueues: [...(live?.queues.values() ?? [])].map(({ queue }) => toTaskQueueRef(queue)),
    heldTasks: held.map(toHeldTask),
    started,
  };
  if (live === undefined) return message;
  message.firstSeen = toTimestamp(live.firstSeen);
  message.lastSeen = toTimestamp(live.lastSeen);
  if (live.status !== undefined) message.status = create(WorkerStatusSchema, live.status);
  const { registrations } = live;
  // Unset where it takes every type, and where the server has not been told yet.
  if (registrations !== undefined && (registrations.activity !== null || registrations.workflow !== null)) {
    message.registrations = create(RegistrationsSchema, {
      activityTypes: [...(registrations.activity ?? [])],
      workflowTypes: [...(registrations.workflow ?? [])],
    });
  }
  return message;
}

/** About how many bytes a worker takes in a reply without its tasks; never much less than it does. */
export function estimateWorkerBytes({ workerId, live }: KnownWorker): number {
  let bytes = 300 + 3 * workerId.length;
  if (live === undefined) return bytes;
  bytes += 3 * (live.identity.length + live.buildId.length);
  for (const { queue } of live.queues.values()) bytes += 3 * queue.name.length + 8;
  return bytes + typeBytes(live.registrations?.activity) + typeBytes(live.registrations?.workflow);
}

/** The tasks that a worker holds, from the first, as far as they go into so many bytes. */
export function fittingHeldTasks(held: readonly HeldTaskRecord[], maxBytes: number): readonly HeldTaskRecord[] {
  let bytes = 0;
  const beyond = held.findIndex((task) => {
    bytes += 100 + 3 * (task.id.length + task.type.length + task.queue.name.length);
    bytes += task.heartbeatDetails?.length ?? 0;
    return bytes > maxBytes;
  });
  return beyond === -1 ? held : held.slice(0, beyond);
}

function typeBytes(types: TypeSet | undefined): number {
  let bytes = 0;
  for (const type of types ?? []) bytes += 3 * type.length + 4;
  return bytes;
}

function toHeldTask(task: HeldTaskRecord): HeldTask {
  const message: HeldTask = {
    $typeName: "tq.v1.HeldTask",
    id: task.id,
    taskQueue: toTaskQueueRef(task.queue),
    type: task.type,
    attempt: task.attempt,
    startedAt: toTimestamp(task.startedAt),
  };
  if (task.heartbeatDetails !== undefined) message.heartbeatDetails = decodePayload(task.heartbeatDetails);
  return message;
}
