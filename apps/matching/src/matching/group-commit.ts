/*
 * Group commit. Whatever arrives while a commit is under way goes into the next one, together with the claims for the
 * polls that wait; nobody waits for a timer. An operation is answered once its commit is on disk.
 */
import {
  StoreError,
  type ClaimOrder,
  type Committed,
  type Operation,
  type OperationResult,
  type ResultOf,
  type ShardLease,
  type Store,
} from "@tq/storage";
import type { TaskQueue } from "@tq/matching-core";
import type { Clock, ServerTime } from "../clock.ts";

/** The most operations that go into one commit, so that none takes long: about 10 ms of work at 100 tasks each. */
const maxOperations = 64;
/** How long to wait before trying again by itself, after the store refused to write. */
const retryAfterFailureMs = 1_000;

interface Pending {
  readonly operation: Operation;
  readonly resolve: (result: OperationResult) => void;
  readonly reject: (error: unknown) => void;
}

/** What the group asks of those it works for, in the order of a commit. */
export interface CommitParticipant {
  /** Operations that are due by time, to go before the others. */
  timedOperations(now: number): readonly Operation[];
  /** What to claim, now that the operations have touched these queues. */
  plan(touched: ReadonlyMap<string, TaskQueue>, now: number): ClaimOrder;
  /** It is on disk. `timed` are the results of the timed operations. */
  committed(committed: Committed, timed: readonly OperationResult[]): void;
  /** Whether there is something to claim, so that another commit should follow though no operation waits. */
  readonly wantsClaim: boolean;
  /** Another owner has the shard: nothing can be done any more. */
  shardLost(error: StoreError): void;
}

/** Runs commits, one at a time. */
export class GroupCommit {
  readonly #store: Store;
  readonly #lease: ShardLease;
  readonly #clock: Clock;
  readonly #time: ServerTime;
  readonly #participant: CommitParticipant;
  #pending: Pending[] = [];
  #scheduled = false;
  #running: Promise<void> | undefined;
  #stopped = false;
  /** When the last commit ended, and what went wrong with it. */
  lastProgressAt: number;
  lastError = "";

  constructor(store: Store, lease: ShardLease, clock: Clock, time: ServerTime, participant: CommitParticipant) {
    this.#store = store;
    this.#lease = lease;
    this.#clock = clock;
    this.#time = time;
    this.#participant = participant;
    this.lastProgressAt = time.now();
  }

  /** Carries out an operation in the next commit. Rejects with StoreError if the store could not do it. */
  submit<O extends Operation>(operation: O): Promise<ResultOf<O>> {
    return new Promise((resolve, reject) => {
      // The store answers each operation with the result of its verb.
      const answer = (result: OperationResult): void => resolve(result as ResultOf<O>);
      this.#pending.push({ operation, resolve: answer, reject });
      this.wake();
    });
  }

  /** Runs a commit soon, whether or not an operation waits. */
  wake(): void {
    if (this.#scheduled || this.#running !== undefined || this.#stopped) return;
    this.#scheduled = true;
    this.#clock.soon(() => {
      this.#scheduled = false;
      this.#start();
    });
  }

  /** Carries out what has been submitted, and then nothing more. */
  async stop(): Promise<void> {
    while (this.#pending.length > 0 || this.#running !== undefined) {
      this.#start();
      await this.#running;
    }
    this.#stopped = true;
  }

  #start(): void {
    if (this.#running !== undefined || this.#stopped) return;
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
      if (this.#pending.length > 0 || (this.#participant.wantsClaim && this.lastError === "")) this.wake();
    });
  }

  async #run(): Promise<void> {
    const group = this.#pending.splice(0, maxOperations);
    const timed = this.#participant.timedOperations(this.#time.now());
    try {
      await this.#commit(group, timed);
    } catch (error) {
      await this.#failed(error, group, timed.length);
    }
  }

  async #commit(group: readonly Pending[], timed: readonly Operation[]): Promise<void> {
    const now = this.#time.now();
    const committed = await this.#store.commit({
      lease: this.#lease,
      now,
      operations: [...timed, ...group.map(({ operation }) => operation)],
      plan: (touched) => this.#participant.plan(touched, now),
    });
    this.lastProgressAt = committed.now;
    this.lastError = "";
    this.#participant.committed(committed, committed.results.slice(0, timed.length));
    group.forEach(({ resolve, reject }, i) => {
      const result = committed.results[timed.length + i];
      if (result === undefined) reject(new Error("the store answered too few operations"));
      else resolve(result);
    });
  }

  /** Nothing of the commit happened. What one operation did wrong must not fail the others. */
  async #failed(error: unknown, group: readonly Pending[], timed: number): Promise<void> {
    this.lastError = error instanceof Error ? error.message : String(error);
    if (error instanceof StoreError && error.code === "shard-lost") this.#participant.shardLost(error);
    // The store's own trouble meets all alike; a defect is met by one, so each is tried by itself.
    if (error instanceof StoreError || group.length + timed <= 1) {
      for (const { reject } of group) reject(error);
      this.#clock.after(retryAfterFailureMs, () => this.wake());
      return;
    }
    for (const one of group) {
      try {
        await this.#commit([one], []);
      } catch (itsError) {
        one.reject(itsError);
      }
    }
    this.#clock.after(retryAfterFailureMs, () => this.wake());
  }
}
