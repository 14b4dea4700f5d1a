import type { ClaimRequest, LeaseRef, Offer, TaskQueue } from "@tq/matching-core";
import type {
  ActionRecord,
  ChangeTasksOperation,
  ChangeTasksResult,
  ConfigureOperation,
  ConfigureResult,
  DeleteQueueOperation,
  DeleteQueueResult,
  DrainOperation,
  DrainResult,
  DrainWorkerOperation,
  DrainWorkerResult,
  NoteOperation,
  NoteResult,
  PauseOperation,
  PauseResult,
  ResumeOperation,
  ResumeResult,
} from "./operator-operations.ts";
import type { DispatchedTask, Encoded, FailureRecord, NamespaceRecord, NewTask, OutcomeRecord } from "./records.ts";

/** Remembers the answer of a call for ten minutes, in the transaction of its effect. */
export interface RequestKey {
  readonly namespace: string;
  readonly id: string;
}

/**
 * Adds a batch: all of it, or none. An id that is open is answered with the open task. The engine checks before it
 * writes, so a refused batch leaves no trace.
 */
export interface AddOperation {
  readonly verb: "add";
  readonly tasks: readonly NewTask[];
  /** Ids that were made for tasks that brought none: in a repeated call they are others. */
  readonly madeIds?: ReadonlySet<string>;
  readonly request?: RequestKey;
}

/** What became of one task of a batch. */
export interface AddedTask {
  readonly id: string;
  readonly run: number;
  readonly existed: boolean;
}

/** Why a batch, a command or a call was refused, and by which of its items. */
export interface Refusal {
  readonly reason:
    | "namespace-not-found"
    | "task-id-taken"
    | "duplicate-id"
    | "too-many-types"
    | "request-id-reused"
    /** Only workflow tasks are answered with commands. */
    | "not-a-workflow-task"
    /** An operator drains the queue. */
    | "queue-draining"
    /** The queue has as many open tasks as it may. */
    | "max-backlog"
    /** Somebody else changed the configuration first; the subject is its present revision. */
    | "revision-mismatch"
    | "queue-not-empty";
  /** Index of the item; 0 where the call as a whole is meant. */
  readonly index: number;
  /** The name or id that was refused. */
  readonly subject: string;
}

/** All tasks of the batch, in its order; or why none was added. */
export type AddResult =
  | { readonly verb: "add"; readonly added: readonly AddedTask[] }
  | { readonly verb: "add"; readonly refused: Refusal };

/** What a completed workflow task asks for, in the transaction of its answer. */
export type CommandRecord =
  | { readonly command: "add"; readonly task: NewTask }
  | { readonly command: "cancel"; readonly id: string; readonly reason: string };

/** The four ways to answer an attempt. */
export type Answer = { readonly lease: LeaseRef } & (
  | { readonly kind: "completed"; readonly result?: Encoded; readonly commands: readonly CommandRecord[] }
  | { readonly kind: "failed"; readonly failure: FailureRecord }
  | { readonly kind: "canceled"; readonly failure: FailureRecord }
  | { readonly kind: "released"; readonly reason: string; readonly toFallback: boolean }
);

/** Answers attempts, each fenced by its lease number. One bad item never fails the others. */
export interface AnswerOperation {
  readonly verb: "answer";
  readonly namespace: string;
  readonly answers: readonly Answer[];
  readonly request?: RequestKey;
}

/** What became of one answer. */
export type AnswerStatus =
  | { readonly status: "accepted" }
  | { readonly status: "already-answered" }
  | { readonly status: "lease-lost" }
  /** One of its commands was refused: nothing was done, and the lease stays. */
  | { readonly status: "refused"; readonly commandIndex: number; readonly refused: Refusal };

/** A status for each answer, in their order; or why the call as a whole was refused. */
export type AnswerOperationResult =
  | { readonly verb: "answer"; readonly statuses: readonly AnswerStatus[] }
  | { readonly verb: "answer"; readonly refused: Refusal };

/**
 * Renews the leases that are named, and keeps heartbeats. A renewal need not be written: after a start every lease has its
 * whole length again.
 */
export interface RenewOperation {
  readonly verb: "renew";
  readonly namespace: string;
  /** Only the leases of this worker count. Unset: those that are named, whoever has them. */
  readonly workerId?: string;
  readonly leases: readonly LeaseRef[];
  /** Polls of this worker: what they were given and still have is renewed as well, though it is not named. */
  readonly pollIds?: readonly string[];
  readonly heartbeats: readonly { readonly lease: LeaseRef; readonly details?: Encoded }[];
}

/** A cancel that was asked for and not answered yet. */
export interface CancelNotice {
  readonly lease: LeaseRef;
  readonly reason: string;
  readonly requestedAt: number;
}

/** What became of the leases that were named. */
export interface RenewResult {
  readonly verb: "renew";
  /** Those of the named that are not current any more. */
  readonly lost: readonly LeaseRef[];
  /** Every cancel request for a task of the worker's, named or not, or else for the named; told before or not. */
  readonly cancels: readonly CancelNotice[];
  /** Queues of those that were renewed: the worker serves them, even if it has no slot free to poll with. */
  readonly queues: readonly TaskQueue[];
}

/** Gives deliveries back that reached nobody, each fenced by its lease number. */
export interface ReturnOperation {
  readonly verb: "return";
  readonly leases: readonly LeaseRef[];
  /**
   * "undelivered": no byte of the answer was handed over; free. "unconfirmed": the worker did not mention it in time;
   * free three times in a row, then it costs an attempt.
   */
  readonly why: "undelivered" | "unconfirmed";
}

/** What became of the deliveries. */
export interface ReturnResult {
  readonly verb: "return";
  /** How many were still current, and went back. */
  readonly returned: number;
}

/**
 * Says what of deliveries is left to be confirmed. A delivery is named by its first lease number (see `Offer.confirmMs`);
 * what is not known, or known no more, is no error.
 */
export interface ConfirmOperation {
  readonly verb: "confirm";
  readonly deliveries: readonly {
    readonly delivery: number;
    /** Those that the worker has not mentioned; none: all is confirmed, or has come back. */
    readonly left: readonly LeaseRef[];
  }[];
}

/** It is kept. */
export interface ConfirmResult {
  readonly verb: "confirm";
}

/** Answers a repeated poll with those of its tasks that are still leased to its worker. */
export interface RepollOperation {
  readonly verb: "repoll";
  readonly namespace: string;
  readonly workerId: string;
  readonly pollId: string;
  readonly maxBytes: number;
  /** As in an offer, for what is given again. */
  readonly confirmMs?: number;
}

/** What the poll was given before, and still has. */
export interface RepollResult {
  readonly verb: "repoll";
  readonly tasks: readonly DispatchedTask[];
}

/** Cancels tasks by id. */
export interface CancelOperation {
  readonly verb: "cancel";
  readonly namespace: string;
  readonly ids: readonly string[];
  readonly force: boolean;
  readonly reason: string;
  readonly request?: RequestKey;
}

/** What became of a cancel: done, or asked of the worker that has the task; or there was nothing to cancel. */
export type CancelStatus = "canceled" | "requested" | "already-closed" | "not-found";

/** A status for each id, in their order; or why the call as a whole was refused. */
export type CancelResult =
  | { readonly verb: "cancel"; readonly statuses: readonly CancelStatus[] }
  | { readonly verb: "cancel"; readonly refused: Refusal };

/**
 * Makes up to `limit` tasks ready whose delay or back-off is over, in order of when that was; lets fairness keys go on
 * whose rate allows another dispatch, and queues whose pause is over.
 */
export interface PromoteOperation {
  readonly verb: "promote";
  readonly limit: number;
}

/** What became ready. */
export interface PromoteResult {
  readonly verb: "promote";
  /** Tasks that became ready. */
  readonly promoted: number;
}

/**
 * Ends up to `limit` attempts whose lease or time is over, in order of when that was; and sees to as many tasks whose
 * schedule-to-start or schedule-to-close is over.
 */
export interface ExpireOperation {
  readonly verb: "expire";
  readonly limit: number;
}

/** What had run out of time. */
export interface ExpireResult {
  readonly verb: "expire";
  /** Attempts that ended. */
  readonly expired: number;
  /** Tasks whose schedule-to-start or schedule-to-close was over: moved to their fallback, or closed. */
  readonly timedOut: number;
}

/** Moves up to `limit` ready tasks of a queue that has no live worker to their fallback queues, in order of adding. */
export interface FallBackOperation {
  readonly verb: "fall-back";
  readonly queue: TaskQueue;
  readonly limit: number;
}

/** What moved to its fallback. */
export interface FallBackResult {
  readonly verb: "fall-back";
  readonly moved: number;
  /** Others wait there that have a fallback. */
  readonly more: boolean;
}

/** Removes up to `limit` of what has been kept long enough: closed tasks, request ids, events, rows of queues that are empty. */
export interface SweepOperation {
  readonly verb: "sweep";
  readonly limit: number;
}

/** What was removed. */
export interface SweepResult {
  readonly verb: "sweep";
  readonly removed: number;
}

/** Creates a namespace. */
export interface CreateNamespaceOperation {
  readonly verb: "create-namespace";
  readonly name: string;
  readonly description: string;
  readonly action: ActionRecord;
  readonly request?: RequestKey;
}

/** The namespace, and whether it was there before; or why the call was refused. */
export type CreateNamespaceResult =
  | { readonly verb: "create-namespace"; readonly existed: boolean; readonly namespace: NamespaceRecord }
  | { readonly verb: "create-namespace"; readonly refused: Refusal };

/** One thing to do in a commit. */
export type Operation =
  | AddOperation
  | AnswerOperation
  | RenewOperation
  | ReturnOperation
  | ConfirmOperation
  | RepollOperation
  | CancelOperation
  | PromoteOperation
  | ExpireOperation
  | SweepOperation
  | FallBackOperation
  | ConfigureOperation
  | PauseOperation
  | ResumeOperation
  | DrainOperation
  | DeleteQueueOperation
  | ChangeTasksOperation
  | DrainWorkerOperation
  | NoteOperation
  | CreateNamespaceOperation;

/** What became of it: the result with the same verb. */
export type OperationResult =
  | AddResult
  | AnswerOperationResult
  | RenewResult
  | ReturnResult
  | ConfirmResult
  | RepollResult
  | CancelResult
  | PromoteResult
  | ExpireResult
  | SweepResult
  | FallBackResult
  | ConfigureResult
  | PauseResult
  | ResumeResult
  | DrainResult
  | DeleteQueueResult
  | ChangeTasksResult
  | DrainWorkerResult
  | NoteResult
  | CreateNamespaceResult;

/** The result type of an operation type. */
export type ResultOf<O extends Operation> = Extract<OperationResult, { verb: O["verb"] }>;

/** What to claim at the end of a commit, once its operations have said which queues they touched. */
export interface ClaimOrder {
  readonly offers: readonly Offer[];
  readonly claims: readonly ClaimRequest[];
}

/**
 * Decides what to claim. Called once a commit, inside its transaction, so a task can be added and leased in one. `results`
 * are those of the commit's operations, in order: no facts yet, since the transaction may still fail.
 */
export type PlanClaims = (touched: ReadonlyMap<string, TaskQueue>, results: readonly OperationResult[]) => ClaimOrder;

/** A task that closed in a commit. */
export interface ClosedNotice {
  readonly namespace: string;
  readonly id: string;
  readonly run: number;
  /** Attempts that were used. */
  readonly attempts: number;
  readonly outcome: OutcomeRecord;
}

/** A cancel that a worker is to be told of, or a lease that was taken from it. */
export interface WorkerNotice {
  readonly namespace: string;
  readonly workerId: string;
}
