import { noConfig, type DrainRecord, type PauseRecord, type TaskQueueConfig } from "./configuration.ts";
import type {
  ClosedState,
  LeaseRef,
  Priority,
  RetryPolicy,
  TaskQueue,
  TaskQueueKind,
  TaskState,
} from "@tq/matching-core";

/** Payloads as the server encodes them. The store keeps them and never looks inside. */
export type Encoded = Uint8Array;

/** Why an attempt failed. Type and message are plain, so that lists can be filtered by them. */
export interface FailureRecord {
  readonly type: string;
  readonly message: string;
  readonly nonRetryable: boolean;
  /** Overrides the retry policy's wait. */
  readonly nextRetryDelayMs?: number;
  /** The whole failure. */
  readonly encoded: Encoded;
}

/** The limits that a new task asks for. Undefined: its queue's default, else its kind's. 0: none. */
export interface NewTimeouts {
  readonly scheduleToStartMs?: number;
  readonly startToCloseMs?: number;
  readonly scheduleToCloseMs?: number;
  readonly heartbeatMs?: number;
}

/** The limits on a task's life; undefined is without limit. */
export interface TimeoutsRecord {
  readonly scheduleToStartMs?: number;
  readonly startToCloseMs?: number;
  readonly scheduleToCloseMs?: number;
  readonly heartbeatMs?: number;
}

/**
 * Where a task moves when its queue does not serve it: schedule-to-start over, no live worker, or released with that wish.
 * The kind is that of the task's queue. A task moves once: there it has neither a fallback nor a schedule-to-start.
 */
export interface FallbackRecord {
  readonly queueName: string;
  /** Replaces the task's type. */
  readonly type?: string;
  /** Replaces the task's input. */
  readonly input?: Encoded;
}

/** The workflow task to add when a task closes. */
export interface OnCloseRecord {
  readonly queueName: string;
  readonly type: string;
  readonly serialKey?: string;
  readonly context?: Encoded;
  readonly priority?: Priority;
  readonly headers?: Readonly<Record<string, string>>;
  /** Name of the fallback queue of the task that is added. */
  readonly fallbackQueueName?: string;
}

/** What happens to an add whose id belongs to a closed task that is kept. */
export type IdPolicy = "reject" | "allow-if-dead" | "allow";

/** A task to add, checked. Namespace and kind are those of its queue, whose configuration fills in what is absent. */
export interface NewTask {
  readonly id: string;
  readonly queue: TaskQueue;
  readonly type: string;
  readonly input: Encoded;
  readonly priority: Priority;
  readonly fairnessKey: string;
  readonly fairnessWeight: number;
  readonly serialKey?: string;
  readonly startDelayMs: number;
  readonly timeouts: NewTimeouts;
  /** Undefined: the queue's default, else the kind's. */
  readonly retryPolicy?: RetryPolicy;
  readonly headers?: Readonly<Record<string, string>>;
  readonly fallback?: FallbackRecord;
  readonly onClose?: OnCloseRecord;
  readonly idPolicy: IdPolicy;
  /** Undefined: as long as the queue says. 0: removed as it closes. */
  readonly retentionMs?: number;
}

/** How a task closed. */
export interface OutcomeRecord {
  readonly state: ClosedState;
  readonly closedAt: number;
  readonly result?: Encoded;
  readonly failure?: FailureRecord;
  readonly heartbeatDetails?: Encoded;
}

/** What a workflow task that was added on close says about the task that closed. */
export interface ClosedTaskRecord {
  readonly id: string;
  readonly run: number;
  readonly type: string;
  readonly queueName: string;
  readonly queueKind: TaskQueueKind;
  readonly attempts: number;
  readonly outcome: OutcomeRecord;
  readonly context?: Encoded;
}

/** One attempt that failed. */
export interface FailedAttemptRecord {
  readonly run: number;
  readonly attempt: number;
  readonly workerId: string;
  readonly startedAt: number;
  readonly failedAt: number;
  readonly failure: FailureRecord;
}

/** What a worker gets: one delivery of a task, under a lease. */
export interface DispatchedTask {
  readonly lease: LeaseRef;
  readonly id: string;
  readonly run: number;
  readonly queue: TaskQueue;
  readonly type: string;
  readonly input: Encoded;
  /** 1 for the first attempt of this run. Not the lease number: a released task is leased again for the same attempt. */
  readonly attempt: number;
  readonly priority: Priority;
  readonly fairnessKey: string;
  readonly serialKey?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly addedAt: number;
  readonly startedAt: number;
  readonly leaseMs: number;
  readonly timeouts: TimeoutsRecord;
  readonly retryPolicy: RetryPolicy;
  /** When the task as a whole times out; undefined: never. */
  readonly scheduleToCloseAt?: number;
  /** What the last heartbeat said, of an earlier attempt in this run. */
  readonly heartbeatDetails?: Encoded;
  /** Why the last attempt in this run failed. */
  readonly lastFailure?: FailureRecord;
  readonly closedTask?: ClosedTaskRecord;
}

/** A task as it stands. */
export interface TaskRecord {
  readonly seq: number;
  readonly id: string;
  readonly run: number;
  readonly queue: TaskQueue;
  readonly type: string;
  readonly state: TaskState;
  /** Attempts begun in this run, the present one included. */
  readonly attempt: number;
  readonly priority: Priority;
  readonly fairnessKey: string;
  readonly fairnessWeight: number;
  readonly serialKey?: string;
  readonly addedAt: number;
  readonly dueAt?: number;
  /** Since when it is ready; the time in which it was started is left out. Only where tasks are asked for by id. */
  readonly readyAt?: number;
  /** True if it is ready as far as time goes, but an earlier task with its serial key is open. */
  readonly waitsForSerialKey: boolean;
  /** Set on a ready task whose fairness key is held back just now. */
  readonly keyHeldBack?: KeyHeldBack;
  readonly started?: {
    readonly at: number;
    readonly workerId: string;
    readonly leaseNo: number;
    readonly leaseUntil: number;
    readonly cancelRequested: boolean;
  };
  readonly outcome?: OutcomeRecord;
  readonly keptUntil?: number;
  readonly input: Encoded;
  readonly headers?: Readonly<Record<string, string>>;
  readonly timeouts: TimeoutsRecord;
  readonly retryPolicy: RetryPolicy;
  readonly fallback?: FallbackRecord;
  readonly onClose?: OnCloseRecord;
  readonly failedAttempts: readonly FailedAttemptRecord[];
  readonly closedTask?: ClosedTaskRecord;
}

/** Tasks counted by state. `ready` has those that wait for their serial key, too. */
export interface TaskCounts {
  readonly scheduled: number;
  readonly ready: number;
  readonly started: number;
  readonly dead: number;
}

/** Why a fairness key is passed over: its rate is used up, or as many of its tasks are started as may be. */
export type KeyHeldBack = "rate" | "max-started";

/** Fairness keys that are passed over. */
export interface HeldBackKeys {
  readonly keys: number;
  /** Ready tasks of theirs, as far as claims have met them: those that were placed before a key had limits may be left out. */
  readonly tasks: number;
  /** Since when the first of them is; undefined: not known. */
  readonly since?: number;
}

/** A queue, described at a cost that depends on neither its backlog nor its keys. */
export interface TaskQueueRecord {
  readonly queue: TaskQueue;
  readonly counts: TaskCounts;
  readonly byPriority: ReadonlyMap<Priority, TaskCounts>;
  readonly byType: ReadonlyMap<string, TaskCounts>;
  /** Of the ready ones: how many wait for their serial key. */
  readonly waitForSerialKey: number;
  /** Ready ones by type, those that wait for their serial key left out. */
  readonly placedByType: ReadonlyMap<string, number>;
  /** Started ones by the worker that has them. */
  readonly startedByWorker: ReadonlyMap<string, number>;
  /** Since when the longest-waiting ready task is ready, to 100 ms. */
  readonly oldestReadyAt?: number;
  readonly config: TaskQueueConfig;
  readonly pause?: PauseRecord;
  readonly drain?: DrainRecord;
  /** When the queue's rate allows the next dispatch; absent: now, as far as the rate goes. */
  readonly rateLimitedUntil?: number;
  /** Fairness keys that are passed over, by why. */
  readonly heldBackKeys: Readonly<Record<KeyHeldBack, HeldBackKeys>>;
  /** Since when tasks are scheduled and none is ready; absent: that is not so. */
  readonly delayedSince?: number;
}

/** A namespace with what is in it. */
export interface NamespaceDescription {
  readonly namespace: NamespaceRecord;
  readonly taskQueues: number;
  readonly counts: TaskCounts;
}

/** A task that a worker holds. */
export interface HeldTaskRecord {
  readonly id: string;
  readonly queue: TaskQueue;
  readonly type: string;
  readonly attempt: number;
  readonly startedAt: number;
  readonly heartbeatDetails?: Encoded;
}

/** Describes a queue that does not exist, or that only its workers know of. */
export function emptyTaskQueue(queue: TaskQueue): TaskQueueRecord {
  return {
    queue,
    counts: { scheduled: 0, ready: 0, started: 0, dead: 0 },
    byPriority: new Map(),
    byType: new Map(),
    waitForSerialKey: 0,
    placedByType: new Map(),
    startedByWorker: new Map(),
    config: noConfig,
    heldBackKeys: { rate: { keys: 0, tasks: 0 }, "max-started": { keys: 0, tasks: 0 } },
  };
}

/** A space of names for tasks and queues. */
export interface NamespaceRecord {
  readonly name: string;
  readonly description: string;
  readonly createdAt: number;
}
