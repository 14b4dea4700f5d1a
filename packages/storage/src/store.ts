import type { ClaimOutcome, LeaseRef, TaskQueue, TaskState, TaskQueueKind } from "@tq/matching-core";
import type { ClosedNotice, Operation, OperationResult, PlanClaims, WorkerNotice } from "./operations.ts";
import type { EventRecord } from "./operator-operations.ts";
import type {
  DispatchedTask,
  HeldTaskRecord,
  NamespaceDescription,
  NamespaceRecord,
  TaskQueueRecord,
  TaskRecord,
} from "./records.ts";

/**
 * Part of the store that one server owns. Every commit names both; one whose epoch is not the present one is refused
 * ({@link StoreError} "shard-lost"), so that an owner that was replaced can do no harm. SQLite has one shard, 0.
 */
export interface ShardLease {
  readonly shard: number;
  readonly epoch: number;
}

/** Everything that goes into one transaction. */
export interface Commit {
  readonly lease: ShardLease;
  /** Never less than the last one stored; the store moves it up to that if it is. */
  readonly now: number;
  readonly operations: readonly Operation[];
  readonly plan: PlanClaims;
  /**
   * Asked if nothing was claimed: whether nobody waits to hear of it. Then it may be brought to the disk with the next
   * commit, if one comes within a millisecond or so. Default: somebody does.
   *
   * @param closed what the transaction closed
   */
  readonly canWait?: (closed: readonly ClosedNotice[]) => boolean;
}

/** What a transaction did. The next one sees it. */
export interface Committed {
  /**
   * Resolves once it is on disk, with all that was committed before it: until then nobody may be told of it. Rejects with
   * StoreError "lost" if it cannot be known whether it is.
   */
  readonly durable: Promise<void>;
  /** The time that the transaction happened at. */
  readonly now: number;
  /** One for each operation, in order, with its verb. */
  readonly results: readonly OperationResult[];
  /** One for each claim of the plan, in order. */
  readonly claims: readonly ClaimOutcome[];
  /** For each offer of the plan, what it got. */
  readonly granted: readonly (readonly DispatchedTask[])[];
  readonly closed: readonly ClosedNotice[];
  /** Workers with news: a cancel request, or a lease that was taken. */
  readonly notices: readonly WorkerNotice[];
  /** How many tasks were added, by taskQueueKey, for rates. Internal adds count too. */
  readonly added: ReadonlyMap<string, number>;
  /** Queues in which something became claimable after the plan was made: claims met tasks that were past a deadline. */
  readonly touched: ReadonlyMap<string, TaskQueue>;
  /** Queues in which a task that has a fallback became ready, by taskQueueKey. */
  readonly withFallback: ReadonlyMap<string, TaskQueue>;
  /** When the earliest of promote, expire and sweep has something to do. Undefined: nothing is waited for. */
  readonly nextDue: NextDue;
}

/** When each of the timed verbs next has something to do; absent: never, unless something changes. `promote` is exact to 1 ms. */
export interface NextDue {
  readonly promote?: number;
  readonly expire?: number;
  readonly sweep?: number;
}

/** Which tasks a list, or a change of many, is about. What is absent matches all, a list of nothing none. */
export interface TaskFilter {
  readonly queueName?: string;
  readonly queueKind?: TaskQueueKind;
  readonly states?: readonly TaskState[];
  readonly types?: readonly string[];
  readonly ids?: readonly string[];
  readonly idPrefix?: string;
  /** Workers that hold it. */
  readonly workerIds?: readonly string[];
  readonly priorities?: readonly number[];
  readonly fairnessKeys?: readonly string[];
  readonly serialKeys?: readonly string[];
  readonly addedAfter?: number;
  readonly addedBefore?: number;
  readonly closedAfter?: number;
  readonly closedBefore?: number;
  readonly failureType?: string;
  readonly failureText?: string;
}

/** One page of a list. */
export interface Page<Item> {
  readonly items: readonly Item[];
  /** Where the next page begins; absent: that was all. A page may be short and have a next one. */
  readonly next?: string;
}

/** Answers questions, as of the last commit, once that is on disk. Changes nothing. */
export interface StoreReader {
  /** Tasks by id; undefined for those that are unknown. */
  getTasks(namespace: string, ids: readonly string[]): Promise<readonly (TaskRecord | undefined)[]>;
  /**
   * In order of adding. Looks at no more than `examine` tasks, and ends the page once its tasks hold `maxBytes` of input
   * and outcome; so no list takes much memory.
   */
  listTasks(
    namespace: string,
    filter: TaskFilter,
    page: { readonly size: number; readonly after?: string; readonly examine: number; readonly maxBytes: number },
  ): Promise<Page<TaskRecord>>;
  /** Queues that have tasks or configuration, in order of name, then kind. */
  listTaskQueues(
    namespace: string,
    filter: { readonly namePrefix: string; readonly kind?: TaskQueueKind },
    page: { readonly size: number; readonly after?: string },
  ): Promise<Page<TaskQueueRecord>>;
  /** A queue that does not exist is described as empty. */
  describeTaskQueue(queue: TaskQueue): Promise<TaskQueueRecord>;
  /**
   * How many of the tasks that a poll was given are still leased to its worker: whether repeating it has an answer. The
   * last commit need not be on disk yet.
   */
  countLeased(namespace: string, workerId: string, pollId: string): Promise<number>;
  /** How many tasks each worker of a namespace holds. */
  startedByWorker(namespace: string): Promise<ReadonlyMap<string, number>>;
  /** Up to `limit` of the tasks that a worker holds, with up to `maxBytes` of heartbeat details, and one more. */
  heldBy(namespace: string, workerId: string, limit: number, maxBytes: number): Promise<readonly HeldTaskRecord[]>;
  /** What operators did, newest first; of one queue or of the whole namespace. */
  listEvents(
    namespace: string,
    filter: { readonly queueName?: string; readonly queueKind?: TaskQueueKind },
    page: { readonly size: number; readonly after?: string },
  ): Promise<Page<EventRecord>>;
  /** Undefined if there is none of that name. Costs as much as the namespace has queues. */
  describeNamespace(name: string): Promise<NamespaceDescription | undefined>;
  listNamespaces(): Promise<readonly NamespaceRecord[]>;
  hasNamespace(name: string): Promise<boolean>;
}

/** What opening the store found. */
export interface Opened {
  readonly lease: ShardLease;
  /** At least the time asked for, and never less than the last one stored. */
  readonly now: number;
  readonly nextDue: NextDue;
  /** Queues in which ready tasks have a fallback. */
  readonly withFallback: readonly TaskQueue[];
  /** Workers that are to take nothing new. */
  readonly drainedWorkers: readonly { readonly namespace: string; readonly workerId: string }[];
  /** Deliveries that their workers have not confirmed. They have their whole time for it from now. */
  readonly unconfirmed: readonly UnconfirmedDelivery[];
}

/** What one poll was given and its worker has not mentioned. */
export interface UnconfirmedDelivery {
  /** Its first lease number, which names it. */
  readonly delivery: number;
  readonly namespace: string;
  readonly workerId: string;
  /** Empty: the poll had no id. */
  readonly pollId: string;
  readonly confirmMs: number;
  readonly leases: readonly LeaseRef[];
}

/** How far a backup is, in the engine's own pages. */
export interface BackupProgress {
  readonly pagesTotal: number;
  readonly pagesRemaining: number;
}

/**
 * The only place where tasks live. An engine is done when it passes the exercising suite (`@tq/storage/exercise`).
 *
 * An engine holds no decision of its own: what follows a failure, whose turn it is and where a task is placed are
 * functions of the core that it calls inside its transaction.
 */
export interface Store extends StoreReader {
  /** For people, such as "sqlite /var/lib/tq/tq.db". */
  readonly description: string;
  /**
   * Takes the shard over: raises its epoch, so that an earlier owner is refused, and gives every lease found at least
   * one full length from now. The timeouts of its attempt and of its task end it no sooner than that, or 10 s from now if
   * that is less: its worker could not answer meanwhile. Throws {@link StoreError} "locked" if another process has the store open.
   */
  open(now: number): Promise<Opened>;
  /**
   * Carries out one transaction: the operations in order, then the claims that `plan` asks for. Resolves once the next
   * one may be asked for, while it may still be on its way to the disk: see {@link Committed.durable}. If it rejects,
   * nothing of it happened.
   */
  commit(commit: Commit): Promise<Committed>;
  /**
   * Writes a consistent copy of the store to a file that must not exist, beside running commits. Throws StoreError
   * "unusable" if it exists or cannot be written; then nothing is left of it.
   */
  backup(path: string, onProgress: (progress: BackupProgress) => void): Promise<{ readonly bytes: number }>;
  close(): Promise<void>;
}

/** Why the store did not do something. */
export type StoreErrorCode =
  /** Another process has it open. */
  | "locked"
  /** Somebody else has taken the shard over; this owner must stop. */
  | "shard-lost"
  /** It cannot write: disk full, read-only, I/O error. Nothing happened. */
  | "unavailable"
  /** The disk did not confirm what was written: it must be opened anew, to see what of it is there. */
  | "lost"
  /** The file is not one of ours, is damaged, or was written by a newer version. */
  | "unusable";

/** The one error class of the storage contract. */
export class StoreError extends Error {
  override readonly name = "StoreError";
  readonly code: StoreErrorCode;

  constructor(code: StoreErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
