/*
 * Why ready tasks of a queue do not move: a pure function of what the store counts and what memory knows of the workers.
 * The first reason is the one line that an operator sees, so they come in the order in which they should be acted on.
 */
import type { LiveWorker, TaskQueueKind } from "@tq/matching-core";
import type { TaskQueueRecord, TaskRecord } from "@tq/storage";
import type { QueueActivity } from "../matching/matching.ts";

/** Why tasks wait, as far as this version can tell: without limits and pauses. */
export type WaitReason =
  | "store-unavailable"
  | "no-workers"
  | "missing-type"
  | "no-free-slots"
  | "serial-key-busy"
  | "all-delayed";

/** One reason, with what an operator needs to act on it. */
export interface WaitingTasks {
  readonly reason: WaitReason;
  /** How many tasks wait for it; 0 where that is not known. */
  readonly count: number;
  /** Since when; undefined where that is not known. */
  readonly since?: number;
  /** One sentence: what is the matter and what to do. */
  readonly hint: string;
}

/** How many types a hint names. */
const typesInHint = 3;

/** Why the tasks of a queue wait. Empty: they move, or there are none. */
export function waitReasons(record: TaskQueueRecord, activity: QueueActivity): WaitingTasks[] {
  const { counts, queue } = record;
  if (activity.storeError !== undefined && counts.ready + counts.scheduled > 0) {
    const hint = `Nothing can be written, so nothing moves: ${activity.storeError}.`;
    return [{ reason: "store-unavailable", count: counts.ready + counts.scheduled, hint }];
  }
  if (counts.ready === 0) return counts.scheduled === 0 ? [] : [allDelayed(counts.scheduled)];
  const reasons: WaitingTasks[] = [];
  const since = record.oldestReadyAt === undefined ? {} : { since: record.oldestReadyAt };
  const takers = activity.workers.filter((worker) => !worker.shuttingDown);

  const missing: string[] = [];
  let missingCount = 0;
  let unservedCount = 0;
  let placed = 0;
  for (const [type, count] of record.placedByType) {
    if (count === 0) continue;
    placed += count;
    const able = takers.filter((worker) => takesType(worker, queue.kind, type));
    if (able.length === 0) {
      missing.push(type);
      missingCount += count;
    } else if (!able.some((worker) => worker.freeSlots > 0)) {
      unservedCount += count;
    }
  }
  if (placed > 0 && takers.length === 0) {
    reasons.push({ reason: "no-workers", count: placed, ...since, hint: noWorkersHint(record, activity) });
  } else {
    if (missingCount > 0) {
      reasons.push({ reason: "missing-type", count: missingCount, ...since, hint: missingTypeHint(missing) });
    }
    if (unservedCount > 0) {
      reasons.push({ reason: "no-free-slots", count: unservedCount, ...since, hint: noFreeSlotsHint(takers.length) });
    }
  }
  if (record.waitForSerialKey > 0) reasons.push(serialKeyBusy(record.waitForSerialKey));
  return reasons;
}

/** Why one task waits; the same, for GetTasks. */
export function waitReasonsOfTask(task: TaskRecord, activity: QueueActivity): WaitingTasks[] {
  if (task.state !== "scheduled" && task.state !== "ready") return [];
  const counts = {
    scheduled: task.state === "scheduled" ? 1 : 0,
    ready: task.state === "ready" ? 1 : 0,
    started: 0,
    dead: 0,
  };
  return waitReasons(
    {
      queue: task.queue,
      counts,
      byPriority: new Map(),
      byType: new Map(),
      waitForSerialKey: task.waitsForSerialKey ? 1 : 0,
      placedByType: new Map(task.waitsForSerialKey ? [] : [[task.type, 1]]),
      startedByWorker: new Map(),
    },
    activity,
  );
}

/** Whether a worker takes tasks of this type. One whose registrations the server still has to ask for may. */
export function takesType(worker: Pick<LiveWorker, "registrations">, kind: TaskQueueKind, type: string): boolean {
  const types = worker.registrations?.[kind];
  return types === undefined || types === null || types.includes(type);
}

function allDelayed(count: number): WaitingTasks {
  const hint = "Nothing is ready: every task waits for its delay or for the back-off after a failed attempt to end.";
  return { reason: "all-delayed", count, hint };
}

function serialKeyBusy(count: number): WaitingTasks {
  const hint = "An earlier task with the same serial key is open; the next one follows when it closes.";
  return { reason: "serial-key-busy", count, hint };
}

function noWorkersHint({ queue }: TaskQueueRecord, { workers }: QueueActivity): string {
  const name = `${queue.kind} queue ${JSON.stringify(queue.name)}`;
  if (workers.length > 0) return `The only live workers of the ${name} are shutting down; start one that polls it.`;
  return `No live worker polls the ${name}; start one, and check that it polls this name and namespace.`;
}

function missingTypeHint(missing: readonly string[]): string {
  const named = missing.slice(0, typesInHint).map((type) => JSON.stringify(type));
  const more = missing.length > typesInHint ? ` and ${missing.length - typesInHint} more` : "";
  return `No live worker of this queue has registered ${named.join(", ")}${more}; start a worker that has, or check the spelling.`;
}

function noFreeSlotsHint(workers: number): string {
  const who = workers === 1 ? "The live worker has" : `The ${workers} live workers have`;
  return `${who} no slot free; start more workers, or give them more slots.`;
}
