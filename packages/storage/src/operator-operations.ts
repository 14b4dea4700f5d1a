/* What operators do to queues and their tasks. Each leaves an event, in the transaction of its effect. */
import type { TaskQueue } from "@tq/matching-core";
import type { ConfigField, DrainRecord, PauseRecord, TaskQueueConfig } from "./configuration.ts";
import type { Refusal, RequestKey } from "./operations.ts";
import type { TaskFilter } from "./store.ts";

/** Who does it, and why; kept as an event. */
export interface ActionRecord {
  readonly actor: string;
  readonly reason: string;
  /** The call, such as "PauseTaskQueue". */
  readonly call: string;
  /** What was asked for, as JSON. The store never looks inside. */
  readonly request: string;
}

interface OperatorOperation {
  readonly action: ActionRecord;
  readonly request?: RequestKey;
}

/** The event of a call that takes several operations: the first writes it, the others bring it up to date. */
export interface EventSoFar {
  readonly id: number;
  /** Tasks that the call had changed before this operation. */
  readonly changed: number;
}

/** Sets the named fields of a queue's configuration to what `to` has; what is absent there goes back to its default. Takes effect at once. */
export interface ConfigureOperation extends OperatorOperation {
  readonly verb: "configure";
  readonly queue: TaskQueue;
  readonly fields: readonly ConfigField[];
  readonly to: Omit<TaskQueueConfig, "revision">;
  /** Refused ("revision-mismatch", its subject is the present revision) unless this is the present one. Absent: changes whatever there is. */
  readonly expectedRevision?: number;
}

/** The configuration as it is now; or why it was not changed. */
export type ConfigureResult =
  | { readonly verb: "configure"; readonly config: TaskQueueConfig }
  | { readonly verb: "configure"; readonly refused: Refusal };

/** Stops dispatch of a queue, until resumed or until a moment. A second pause replaces the first, but for its `since`. */
export interface PauseOperation extends OperatorOperation {
  readonly verb: "pause";
  readonly queue: TaskQueue;
  readonly until?: number;
}

/** The pause as it is now; or why the call was refused. */
export type PauseResult =
  | { readonly verb: "pause"; readonly pause: PauseRecord }
  | { readonly verb: "pause"; readonly refused: Refusal };

/** Undoes a pause and a drain. */
export interface ResumeOperation extends OperatorOperation {
  readonly verb: "resume";
  readonly queue: TaskQueue;
}

/** What was undone; or why the call was refused. */
export type ResumeResult =
  | { readonly verb: "resume"; readonly wasPaused: boolean; readonly wasDraining: boolean }
  | { readonly verb: "resume"; readonly refused: Refusal };

/** Refuses adds to a queue; dispatch goes on. */
export interface DrainOperation extends OperatorOperation {
  readonly verb: "drain";
  readonly queue: TaskQueue;
}

/** The drain as it is now; or why the call was refused. */
export type DrainResult =
  /** `event`: the number of its event, for a call that goes on. */
  | { readonly verb: "drain"; readonly drain: DrainRecord; readonly event: number }
  | { readonly verb: "drain"; readonly refused: Refusal };

/**
 * Removes a queue with its configuration, its pause and its drain, and the closed tasks that it keeps if they are not
 * dead. Refused ("queue-not-empty") while it has open or dead tasks; "not-found" is no error: there is nothing to do.
 */
export interface DeleteQueueOperation extends OperatorOperation {
  readonly verb: "delete-queue";
  readonly queue: TaskQueue;
  /** The event of the call, whose tasks were purged for it. Absent: the removal leaves one of its own. */
  readonly event?: EventSoFar;
  /** The most closed tasks to remove with it; with more of them, it removes so many and answers `more`. */
  readonly limit: number;
}

/** How far the removal is; or why it was refused. */
export type DeleteQueueResult =
  /** `existed`: there was something to remove. */
  | { readonly verb: "delete-queue"; readonly existed: boolean; readonly more: boolean }
  | { readonly verb: "delete-queue"; readonly refused: Refusal };

/** What a bulk call does to each task that its filter matches. */
export type TaskChange =
  /** Open ones close as canceled with their on-close (not if `silent`), started ones included; closed ones are removed. */
  | { readonly kind: "purge"; readonly silent: boolean }
  /** Waiting ones go to the tail of another queue of their kind. Their timeouts go on as they were. */
  | { readonly kind: "move"; readonly to: TaskQueue }
  /** Dead ones open again: same id, next run, attempts and timeouts anew, at the tail. */
  | { readonly kind: "redrive" }
  /** Started ones go back to their old place without using an attempt; their tokens are revoked. */
  | { readonly kind: "release" };

/** How far a bulk call is. */
export interface BulkProgressRecord {
  readonly examined: number;
  readonly changed: number;
  /** Matched the filter, but were not in a state in which this can be done. */
  readonly skipped: number;
}

/** Where a bulk call goes on. Opaque to everybody but the engine. */
export interface BulkCursor {
  readonly after: string;
  /** Tasks added after the first chunk are not looked at. */
  readonly upTo: string;
  readonly event?: number;
  readonly progress: BulkProgressRecord;
}

/**
 * One chunk of a bulk call: looks at up to `examine` tasks in order of adding, and changes those that match. The event is
 * written with the first chunk that changes something and brought up to date with each. With a request id, how far it is
 * is kept with each chunk: whoever makes the call again goes on from there, whatever its cursor says, with the same limit,
 * progress and event; and once it is done, gets what it came to.
 */
export interface ChangeTasksOperation extends OperatorOperation {
  readonly verb: "change-tasks";
  readonly namespace: string;
  readonly filter: TaskFilter;
  readonly change: TaskChange;
  readonly dryRun: boolean;
  readonly examine: number;
  /** Stops once so many were changed in all. */
  readonly limit?: number;
  /** Absent: the first chunk. */
  readonly cursor?: BulkCursor;
  /** The event of the call that this is a part of. Absent: it leaves one of its own. */
  readonly event?: EventSoFar;
}

/** How far the bulk call is; or why it was refused. */
export type ChangeTasksResult =
  /** In all, so far. `next` absent: that was the last chunk. */
  | { readonly verb: "change-tasks"; readonly progress: BulkProgressRecord; readonly next?: BulkCursor }
  | { readonly verb: "change-tasks"; readonly refused: Refusal };

/** Remembers that a worker is to take nothing new, also over a restart; forgotten a day later. */
export interface DrainWorkerOperation extends OperatorOperation {
  readonly verb: "drain-worker";
  readonly namespace: string;
  readonly workerId: string;
}

/** It is kept; or why the call was refused. */
export type DrainWorkerResult =
  | { readonly verb: "drain-worker" }
  | { readonly verb: "drain-worker"; readonly refused: Refusal };

/** Keeps an event of something that was done beside the store's transactions, such as a backup. */
export interface NoteOperation {
  readonly verb: "note";
  readonly namespace: string;
  readonly action: ActionRecord;
}

/** It is kept. */
export interface NoteResult {
  readonly verb: "note";
}

/** What an operator did. */
export interface EventRecord {
  readonly id: number;
  readonly at: number;
  readonly action: ActionRecord;
  readonly queue?: TaskQueue;
  readonly workerId?: string;
  /** Tasks that it changed. */
  readonly changed: number;
}
