/* Histories made by hand, to see that a check finds what it is there for. */
import type { TaskQueue } from "@tq/matching-core";
import type { ActionRecord, DispatchedTask, TaskQueueConfig, TaskRecord } from "@tq/storage";
import { noConfig } from "@tq/storage";
import type { CommitEntry, Grant } from "../src/history.ts";

export const queue: TaskQueue = { namespace: "default", name: "mail", kind: "activity" };

export const action: ActionRecord = { actor: "", reason: "", call: "", request: "{}" };

const retryPolicy = {
  initialIntervalMs: 0,
  backoffCoefficient: 1,
  maximumIntervalMs: 0,
  maximumAttempts: 2,
  nonRetryableFailureTypes: [],
  jitter: 0,
};

/** An open task: ready, unless said otherwise. */
export function task(seq: number, fields: Partial<TaskRecord> = {}): TaskRecord {
  return {
    seq,
    id: `task-${seq}`,
    run: 1,
    queue,
    type: "notify",
    state: "ready",
    attempt: 0,
    priority: 3,
    fairnessKey: "",
    fairnessWeight: 1,
    addedAt: 0,
    waitsForSerialKey: false,
    input: new Uint8Array(),
    timeouts: {},
    retryPolicy,
    failedAttempts: [],
    ...fields,
  };
}

/** The same task, leased. */
export function started(record: TaskRecord, leaseNo: number, at: number): TaskRecord {
  const lease = { at, workerId: "worker", leaseNo, leaseUntil: at + 10_000, cancelRequested: false };
  return { ...record, state: "started", attempt: 1, started: lease };
}

/** What gave it away, for 10 s. */
export function grant(record: TaskRecord, fields: Partial<DispatchedTask> = {}): Grant {
  const { seq, id, run, type, input, priority, fairnessKey, serialKey, timeouts } = record;
  const dispatched: DispatchedTask = {
    lease: { seq, leaseNo: record.started?.leaseNo ?? 0 },
    id,
    run,
    queue: record.queue,
    type,
    input,
    attempt: 1,
    priority,
    fairnessKey,
    ...(serialKey !== undefined && { serialKey }),
    addedAt: 0,
    startedAt: record.started?.at ?? 0,
    leaseMs: 10_000,
    timeouts,
    retryPolicy,
    ...fields,
  };
  return {
    task: dispatched,
    workerId: "worker",
    pollId: "poll",
    offer: 0,
    maxBytes: Infinity,
    asked: true,
    types: null,
    askedRate: undefined,
  };
}

/** A commit that did nothing, but for what is said. */
export function commit(now: number, fields: Partial<CommitEntry> = {}): CommitEntry {
  return {
    kind: "commit",
    life: 1,
    epoch: 1,
    now,
    operations: [],
    results: [],
    grants: [],
    closed: [],
    open: [],
    ...fields,
  };
}

/** A commit that sets the limits of the queue. */
export function configured(now: number, limits: Partial<TaskQueueConfig>): CommitEntry {
  const config = { ...noConfig, ...limits, revision: 1 };
  return commit(now, {
    operations: [{ verb: "configure", queue, fields: [], to: config, action }],
    results: [{ verb: "configure", config }],
  });
}
