import type { LeaseRef, LiveWorker, TaskQueue, WorkerCall } from "@tq/matching-core";
import type {
  AddOperation,
  AddResult,
  AnswerOperation,
  AnswerOperationResult,
  AnswerStatus,
  CancelNotice,
  CancelOperation,
  CancelResult,
  ChangeTasksOperation,
  ConfigureOperation,
  CreateNamespaceOperation,
  DeleteQueueOperation,
  DispatchedTask,
  DrainOperation,
  DrainWorkerOperation,
  DrainWorkerResult,
  Encoded,
  NoteOperation,
  NoteResult,
  PauseOperation,
  Refusal,
  ResultOf,
  ResumeOperation,
  Store,
  StoreReader,
  TaskRecord,
} from "@tq/storage";

/** What becomes of an answer on its way to the client; see PollCall.delivery. */
export interface Delivery {
  /** Calls back once, if the connection went away before a byte of the answer was handed to the transport. */
  onUndelivered(callback: () => void): void;
}

/** Whether the caller of a call is still there: an AbortSignal is one, and so is what costs less than that. */
export interface CallerSignal {
  /** The caller has gone. */
  readonly aborted: boolean;
  /** Calls back once, as the caller goes. Not if it has gone already. */
  addEventListener(type: "abort", listener: () => void): void;
  removeEventListener(type: "abort", listener: () => void): void;
}

/** One long poll, checked and with its defaults filled in. */
export interface PollCall {
  readonly worker: WorkerCall;
  /** Empty: the poll cannot be repeated. */
  readonly pollId: string;
  readonly queues: readonly TaskQueue[];
  readonly maxTasks: number;
  readonly leaseMs: number;
  /** Dispatches per second that the worker wants of each of its queues. */
  readonly askedRate?: number;
  /** Undefined: the lease alone counts. */
  readonly confirmWithinMs?: number;
  /** How long to hold it, jitter and the caller's deadline already taken off. 0 answers at once. */
  readonly waitMs: number;
  readonly receivedPollIds: readonly string[];
  readonly answers?: AnswerOperation;
  /** Aborts when the caller is gone or gives up. */
  readonly signal: CallerSignal;
  readonly delivery: Delivery;
}

/** How a poll ended. */
export type PollReply =
  | {
      readonly kind: "answered";
      readonly tasks: readonly DispatchedTask[];
      readonly statuses: readonly AnswerStatus[];
      readonly registrationsWanted: boolean;
      readonly drainRequested: boolean;
    }
  /** Another poll with its id has taken its place. */
  | { readonly kind: "superseded" }
  /** The answers that it carried were refused as a whole. */
  | { readonly kind: "refused"; readonly refused: Refusal };

/** One renewal, possibly held open for news. */
export interface RenewCall {
  readonly worker: WorkerCall;
  /** Queues that it serves, beside those of the leases. */
  readonly queues: readonly TaskQueue[];
  readonly leases: readonly LeaseRef[];
  readonly heartbeats: readonly { readonly lease: LeaseRef; readonly details?: Encoded }[];
  readonly receivedPollIds: readonly string[];
  /** Open polls whose answers the worker cannot read just now. */
  readonly heldUpPollIds: readonly string[];
  /** How long it may be held open; 0 answers at once. */
  readonly holdMs: number;
  /** Opaque, from the last reply; empty the first time. */
  readonly noticesSeen: string;
  readonly signal: CallerSignal;
}

/** What a worker hears about the leases that it named, and about itself. */
export interface RenewReply {
  /** Those that are not its own any more. */
  readonly lost: readonly LeaseRef[];
  readonly cancels: readonly CancelNotice[];
  readonly drainRequested: boolean;
  readonly registrationsWanted: boolean;
  readonly noticesSeen: string;
}

/** Heartbeats by token alone. */
export interface HeartbeatCall {
  readonly namespace: string;
  readonly heartbeats: RenewCall["heartbeats"];
}

/** Waits for tasks to close. */
export interface WaitCall {
  readonly namespace: string;
  readonly ids: readonly string[];
  /** 0 answers at once. */
  readonly waitMs: number;
  readonly waitFor: "all" | "any";
  readonly signal: CallerSignal;
}

/** What memory knows of a queue, beside what the store does. */
export interface QueueActivity {
  /** Why the store refuses writes just now; undefined: it takes them. */
  readonly storeError?: string;
  readonly addsPerSecond: number;
  readonly dispatchesPerSecond: number;
  /** Dispatches per second: the smallest that a live worker asks for. */
  readonly askedRate?: number;
  readonly workers: readonly (LiveWorker & {
    /** Slots that its waiting polls offer to this queue. */
    readonly freeSlots: number;
  })[];
}

/** What operators ask for that changes nothing but the store. */
export type OperatorOperation =
  | ConfigureOperation
  | PauseOperation
  | ResumeOperation
  | DrainOperation
  | DeleteQueueOperation
  | ChangeTasksOperation
  | CreateNamespaceOperation;

/** How a background service does. */
export interface ServiceHealth {
  readonly name: string;
  readonly running: boolean;
  readonly lastProgressAt: number;
  readonly lastError: string;
}

/**
 * The server behind the RPC handlers: everything here is in records of the core and the store, nothing in messages.
 *
 * A call that changes something resolves once it is on disk. It rejects with StoreError where the store could not do
 * it (nothing happened), or with {@link ShuttingDown}.
 */
export interface Matching {
  /** The present time of the server, in ms since the epoch. */
  now(): number;
  add(operation: AddOperation): Promise<AddResult>;
  answer(
    operation: AnswerOperation,
    from: { readonly workerId: string; readonly receivedPollIds: readonly string[] },
  ): Promise<AnswerOperationResult>;
  cancel(operation: CancelOperation): Promise<CancelResult>;
  /** What an operator asks for that is the store's to do. */
  operate<O extends OperatorOperation>(operation: O): Promise<ResultOf<O>>;
  /** Remembers that a worker is to take nothing new, and tells it. */
  drainWorker(operation: DrainWorkerOperation): Promise<DrainWorkerResult>;
  /** Keeps an event. */
  note(operation: NoteOperation): Promise<NoteResult>;
  /** Writes a copy of the store; see Store.backup. */
  backup: Store["backup"];
  poll(call: PollCall): Promise<PollReply>;
  renew(call: RenewCall): Promise<RenewReply>;
  /** Keeps heartbeats, and renews their leases, whoever has them. */
  heartbeat(call: HeartbeatCall): Promise<Pick<RenewReply, "lost" | "cancels">>;
  /** The worker is going: ends its waiting polls, empty. */
  shutdownWorker(namespace: string, workerId: string): void;
  /** In the order of `ids`; undefined for those that are unknown. */
  getTasks(call: WaitCall): Promise<readonly (TaskRecord | undefined)[]>;
  /** Everything else that is only read. */
  readonly reader: StoreReader;
  activityOf(queue: TaskQueue): QueueActivity;
  /** Live workers of a queue; undefined: every live worker of the namespace. */
  workersOf(namespace: string, queue?: TaskQueue): readonly LiveWorker[];
  /** Undefined if it does not live. */
  workerOf(namespace: string, workerId: string): LiveWorker | undefined;
  /** Whether an operator drains this worker, whether it lives or not. */
  isDrained(namespace: string, workerId: string): boolean;
  /** Queues that live workers poll, whether or not the store knows them. */
  polledQueues(namespace: string): readonly TaskQueue[];
  readonly waitingPolls: number;
  readonly liveWorkers: number;
  services(): readonly ServiceHealth[];
  /** Which store, its epoch, this run of the server. */
  readonly info: {
    readonly storage: string;
    readonly epoch: number;
    readonly instanceId: string;
    readonly startedAt: number;
  };
}

/** The server takes nothing new: it is stopping. */
export class ShuttingDown extends Error {
  override readonly name = "ShuttingDown";
  constructor() {
    super("the server is shutting down");
  }
}
