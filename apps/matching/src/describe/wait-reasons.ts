/*
 * Why ready tasks of a queue do not move: a pure function of what the store counts and what memory knows of the workers.
 * The first reason is the one line that an operator sees, so they come in the order in which they should be acted on:
 * what stops everything, then that nobody could run them, then what was set as a limit, then that all slots are taken
 * (not the cause where a limit keeps free ones from being filled), then what passes by itself.
 */
import { takesTasks, type LiveWorker, type TaskQueue } from "@tq/matching-core";
import type { HeldBackKeys, KeyHeldBack, PauseRecord, TaskQueueRecord, TaskRecord } from "@tq/storage";
import type { QueueActivity } from "../matching/matching.ts";
import * as hints from "./wait-hints.ts";

/** Why tasks wait. */
export type WaitReason =
  | "store-unavailable"
  | "paused"
  | "no-workers"
  | "missing-type"
  | "no-free-slots"
  | "max-started"
  | "rate-limited"
  | "key-max-started"
  | "key-rate-limited"
  | "serial-key-busy"
  | "all-delayed";

/** One reason, with what an operator needs to act on it. */
export interface WaitingTasks {
  readonly reason: WaitReason;
  /** How many tasks wait for it. */
  readonly count: number;
  /** Since when; undefined where that is not known. */
  readonly since?: number;
  /** One sentence: what is the matter and what to do. */
  readonly hint: string;
}

/** What a queue is at a moment. */
export interface QueueNow {
  readonly record: TaskQueueRecord;
  readonly activity: QueueActivity;
  readonly now: number;
}

/** The tasks that wait: all of a queue, or one of them. */
type Waiting = Pick<
  TaskQueueRecord,
  "placedByType" | "waitForSerialKey" | "heldBackKeys" | "oldestReadyAt" | "delayedSince"
> & {
  readonly ready: number;
  readonly scheduled: number;
};

/** Why the tasks of a queue wait. Empty: they move, or there are none. */
export function waitReasons(queue: QueueNow): WaitingTasks[] {
  const { ready, scheduled } = queue.record.counts;
  return reasonsOf({ ...queue.record, ready, scheduled }, queue);
}

/** Why one task waits; the same, for GetTasks. */
export function waitReasonsOfTask(task: TaskRecord, queue: QueueNow): WaitingTasks[] {
  if (task.state !== "scheduled" && task.state !== "ready") return [];
  const held = (why: KeyHeldBack): HeldBackKeys => {
    const count = task.keyHeldBack === why ? 1 : 0;
    return { keys: count, tasks: count };
  };
  const lastFailure = task.failedAttempts.findLast(({ run }) => run === task.run);
  const waiting = {
    scheduled: task.state === "scheduled" ? 1 : 0,
    ready: task.state === "ready" ? 1 : 0,
    waitForSerialKey: task.waitsForSerialKey ? 1 : 0,
    placedByType: new Map(task.state === "ready" && !task.waitsForSerialKey ? [[task.type, 1]] : []),
    heldBackKeys: { rate: held("rate"), "max-started": held("max-started") },
    ...(task.readyAt !== undefined && { oldestReadyAt: task.readyAt }),
    delayedSince: lastFailure?.failedAt ?? task.addedAt,
  };
  return reasonsOf(waiting, queue);
}

/** The pause of a queue; undefined: it has none, or its time is over. */
export function pauseAt({ pause }: TaskQueueRecord, now: number): PauseRecord | undefined {
  return pause !== undefined && (pause.until ?? Infinity) > now ? pause : undefined;
}

/** Whether a worker takes tasks of this type. One whose registrations the server still has to ask for may. */
export function takesType(worker: Pick<LiveWorker, "registrations">, kind: TaskQueue["kind"], type: string): boolean {
  const types = worker.registrations?.[kind];
  return types === undefined || types === null || types.includes(type);
}

function reasonsOf(waiting: Waiting, queue: QueueNow): WaitingTasks[] {
  const { ready, scheduled, waitForSerialKey } = waiting;
  const { storeError } = queue.activity;
  if (storeError !== undefined && ready + scheduled > 0) {
    return [{ reason: "store-unavailable", count: ready + scheduled, hint: hints.storeUnavailable(storeError) }];
  }
  if (ready === 0) {
    if (scheduled === 0) return [];
    const since = waiting.delayedSince === undefined ? {} : { since: waiting.delayedSince };
    return [{ reason: "all-delayed", count: scheduled, ...since, hint: hints.allDelayed }];
  }
  const workers = ofWorkers(waiting, queue);
  const placed = placedOf(waiting);
  const reasons = [...ofPause(ready, queue), ...workers.missing];
  if (placed > 0) reasons.push(...ofLimits(waiting, placed, queue));
  reasons.push(...workers.busy);
  if (waitForSerialKey > 0) {
    reasons.push({
      reason: "serial-key-busy",
      count: waitForSerialKey,
      ...sinceOf(waiting),
      hint: hints.serialKeyBusy,
    });
  }
  return reasons;
}

function placedOf({ placedByType }: Waiting): number {
  let placed = 0;
  for (const count of placedByType.values()) placed += count;
  return placed;
}

function ofPause(ready: number, { record, now }: QueueNow): WaitingTasks[] {
  const pause = pauseAt(record, now);
  if (pause === undefined) return [];
  return [{ reason: "paused", count: ready, since: pause.since, hint: hints.paused(pause) }];
}

/** What only other workers can mend, and what more slots can. */
interface OfWorkers {
  readonly missing: readonly WaitingTasks[];
  readonly busy: readonly WaitingTasks[];
}

function ofWorkers(waiting: Waiting, { record: { queue }, activity }: QueueNow): OfWorkers {
  const since = sinceOf(waiting);
  const takers = activity.workers.filter(takesTasks);
  const missing: string[] = [];
  let missingCount = 0;
  let unservedCount = 0;
  for (const [type, count] of waiting.placedByType) {
    if (count === 0) continue;
    const able = takers.filter((worker) => takesType(worker, queue.kind, type));
    if (able.length === 0) {
      missing.push(type);
      missingCount += count;
    } else if (!able.some((worker) => worker.freeSlots > 0)) {
      unservedCount += count;
    }
  }
  if (missingCount > 0 && takers.length === 0) {
    const hint = hints.noWorkers(queue, activity);
    return { missing: [{ reason: "no-workers", count: missingCount, ...since, hint }], busy: [] };
  }
  const reasons: { missing: WaitingTasks[]; busy: WaitingTasks[] } = { missing: [], busy: [] };
  if (missingCount > 0) {
    reasons.missing.push({ reason: "missing-type", count: missingCount, ...since, hint: hints.missingType(missing) });
  }
  if (unservedCount > 0) {
    const hint = hints.noFreeSlots(takers.length);
    reasons.busy.push({ reason: "no-free-slots", count: unservedCount, ...since, hint });
  }
  return reasons;
}

function ofLimits(waiting: Waiting, placed: number, { record, activity, now }: QueueNow): WaitingTasks[] {
  const { config, counts } = record;
  const since = sinceOf(waiting);
  const reasons: WaitingTasks[] = [];
  if (config.maxStarted !== undefined && counts.started >= config.maxStarted) {
    reasons.push({ reason: "max-started", count: placed, ...since, hint: hints.maxStarted(config.maxStarted) });
  }
  if ((record.rateLimitedUntil ?? 0) > now) {
    reasons.push({ reason: "rate-limited", count: placed, ...since, hint: hints.rateLimited(config, activity) });
  }
  const { rate, "max-started": maxStarted } = waiting.heldBackKeys;
  if (maxStarted.keys > 0) {
    const hint = hints.keyMaxStarted(maxStarted);
    reasons.push({ reason: "key-max-started", count: maxStarted.tasks, ...known(maxStarted), hint });
  }
  if (rate.keys > 0) {
    const hint = hints.keyRateLimited(rate);
    reasons.push({ reason: "key-rate-limited", count: rate.tasks, ...known(rate), hint });
  }
  return reasons;
}

function sinceOf({ oldestReadyAt }: Waiting): { readonly since?: number } {
  return oldestReadyAt === undefined ? {} : { since: oldestReadyAt };
}

function known({ since }: HeldBackKeys): { readonly since?: number } {
  return since === undefined ? {} : { since };
}
