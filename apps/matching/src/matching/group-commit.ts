/*
 * Group commit. Whatever arrives while a commit is under way goes into the next one, together with the claims for the
 * polls that wait; nobody waits for a timer. The next one may begin while the last is on its way to the disk; an operation
 * is answered once its commit is there.
 */
import {
  StoreError,
  type ClaimOrder,
  type ClosedNotice,
  type Committed,
  type Operation,
  type OperationResult,
  type PlanClaims,
  type ResultOf,
  type ShardLease,
  type Store,
} from "@tq/storage";
import type { TaskQueue } from "@tq/matching-core";
import type { Cancel, Clock, ServerTime } from "../clock.ts";

/** The most tasks that the operations of one commit name, so that none takes long: about 10 ms of work. */
const maxTasks = 6_400;
/** An operation that names few tasks costs about as much as one that names so many. */
const leastTasks = 16;
/** How long to wait before trying again by itself, after the store refused to write. */
const retryAfterFailureMs = 1_000;

/** Told inside the transaction what became of an operation, before it is planned what to claim. May be told again. */
export type CarriedOut<Result> = (result: Result) => void;

interface Pending {
  readonly operation: Operation;
  readonly carriedOut: CarriedOut<OperationResult> | undefined;
  readonly isAwaited: boolean;
  readonly resolve: (result: OperationResult) => void;
  readonly reject: (error: unknown) => void;
}

/** What the group asks of those it works for, in the order of a commit. */
export interface CommitParticipant {
  /** Operations that are due by time, to go before the others. */
  timedOperations(now: number): readonly Operation[];
  /** What to claim, now that the operations have touched these queues. */
  plan(touched: ReadonlyMap<string, TaskQueue>, now: number): ClaimOrder;
  /**
   * It has happened, though it may be on its way to the disk: nobody outside may hear of it before it is `durable`.
   * `timed` are the timed operations of it, whose results are the first.
   */
  committed(committed: Committed, timed: readonly Operation[]): void;
  /** Whether somebody waits for one of these to close. */
  isAwaited(closed: readonly ClosedNotice[]): boolean;
  /** These timed operations did not happen. Called after every commit that failed, with what of it was lost. */
  failed(timed: readonly Operation[]): void;
  /** What was planned cannot be claimed, though the store works: a defect. It is not to be planned again at once. */
  claimsFailed(): void;
  /** Whether there is something to claim, so that another commit should follow though no operation waits. */
  readonly wantsClaim: boolean;
  /** Another owner has the shard, or the disk has failed: nothing can be done any more. */
  storeLost(error: StoreError): void;
}

const nothing: ClaimOrder = { offers: [], claims: [] };

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
  /** The last commit that is on its way to the disk. */
  #durable: Promise<void> | undefined;
  #stopped = false;
  /** Set while nothing but a new operation makes it try: the store has just refused. */
  #retry: { readonly at: number; readonly cancel: Cancel } | undefined;
  /** When something was last committed. */
  lastProgressAt: number;
  /** What went wrong with the last commit; empty if nothing did. */
  lastError = "";

  constructor(store: Store, lease: ShardLease, clock: Clock, time: ServerTime, participant: CommitParticipant) {
    this.#store = store;
    this.#lease = lease;
    this.#clock = clock;
    this.#time = time;
    this.#participant = participant;
    this.lastProgressAt = time.now();
  }

  /** Before this moment it tries by itself nothing more; undefined: it works. */
  get retryAt(): number | undefined {
    return this.#retry?.at;
  }

  /**
   * Carries out an operation in the next commit. Rejects with StoreError if the store could not do it.
   *
   * @param carriedOut so that who waits for the operation can be claimed for in its own commit, rather than the next
   * @param isAwaited false: if nothing is claimed for it, its caller waits for something else
   */
  submit<O extends Operation>(
    operation: O,
    carriedOut?: CarriedOut<ResultOf<O>>,
    isAwaited = true,
  ): Promise<ResultOf<O>> {
    return new Promise((resolve, reject) => {
      // The store answers each operation with the result of its verb.
      this.#pending.push({
        operation,
        carriedOut: carriedOut as CarriedOut<OperationResult> | undefined,
        isAwaited,
        resolve: resolve as (result: OperationResult) => void,
        reject,
      });
      this.wake();
    });
  }

  /** Resolves once everything that was committed is on disk; undefined: it is. */
  get durable(): Promise<void> | undefined {
    return this.#durable;
  }

  /** Runs a commit soon, whether or not an operation waits. */
  wake(): void {
    if (this.#scheduled || this.#running !== undefined || this.#stopped) return;
    if (this.#retry !== undefined && this.#pending.length === 0) return;
    this.#scheduled = true;
    this.#clock.soon(() => {
      this.#scheduled = false;
      this.#start();
    });
  }

  /** Carries out what has been submitted, and what is due; then nothing more. */
  async stop(): Promise<void> {
    do {
      await this.#running;
      this.#start();
      await this.#running;
      // Who waits for it hears what became of it.
      await this.#durable?.catch(() => undefined);
    } while (this.#pending.length > 0);
    this.#stopped = true;
    this.#worksAgain();
  }

  #start(): void {
    if (this.#running !== undefined || this.#stopped) return;
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
      if (this.#pending.length > 0 || this.#participant.wantsClaim) this.wake();
    });
  }

  async #run(): Promise<void> {
    const group = this.#takePending();
    const timed = this.#participant.timedOperations(this.#time.now());
    const error = await this.#commit(group, timed, true);
    if (error === undefined) return;
    // The store's own trouble meets all alike. A defect is met by one, which must not fail the others.
    if (error instanceof StoreError) this.#storeFailed(error, group, timed);
    else await this.#oneByOne(group, timed);
  }

  /** The operations of the next commit: from the front, as many as it may hold, at least one. */
  #takePending(): Pending[] {
    let tasks = 0;
    const tooMany = this.#pending.findIndex(({ operation }, i) => {
      tasks += Math.max(tasksOf(operation), leastTasks);
      return i > 0 && tasks > maxTasks;
    });
    return this.#pending.splice(0, tooMany === -1 ? this.#pending.length : tooMany);
  }

  /** One transaction. Answers what went wrong; then nothing of it happened. */
  async #commit(group: readonly Pending[], timed: readonly Operation[], withClaims: boolean): Promise<unknown> {
    const now = this.#time.now();
    const operations = [...timed, ...group.map(({ operation }) => operation)];
    const plan: PlanClaims = (touched, results) => {
      for (const [i, { carriedOut }] of group.entries()) {
        const result = results[timed.length + i];
        if (result !== undefined) carriedOut?.(result);
      }
      return withClaims ? this.#participant.plan(touched, now) : nothing;
    };
    const isAwaited = group.some((one) => one.isAwaited) || timed.some(({ verb }) => verb !== "confirm");
    const canWait = (closed: readonly ClosedNotice[]): boolean => !isAwaited && !this.#participant.isAwaited(closed);
    let committed: Committed;
    try {
      committed = await this.#store.commit({ lease: this.#lease, now, operations, plan, canWait });
    } catch (error) {
      this.lastError = error instanceof Error ? error.message : String(error);
      return error;
    }
    this.lastProgressAt = committed.now;
    this.lastError = "";
    this.#worksAgain();
    this.#track(committed.durable);
    this.#participant.committed(committed, timed);
    void this.#answer(group, committed.results.slice(timed.length), committed.durable);
    return undefined;
  }

  #track(durable: Promise<void>): void {
    this.#durable = durable;
    const isOver = (): void => {
      if (this.#durable === durable) this.#durable = undefined;
    };
    durable.then(isOver, (error: unknown) => {
      isOver();
      this.lastError = error instanceof Error ? error.message : String(error);
      if (error instanceof StoreError) this.#participant.storeLost(error);
    });
  }

  async #answer(group: readonly Pending[], results: readonly OperationResult[], durable: Promise<void>): Promise<void> {
    try {
      await durable;
    } catch (error) {
      for (const { reject } of group) reject(error);
      return;
    }
    // Once the polls that got tasks have been answered: a worker begins with those while its producers are told.
    process.nextTick(() => {
      for (const [i, { resolve, reject }] of group.entries()) {
        const result = results[i];
        if (result === undefined) reject(new Error("the store answered too few operations"));
        else resolve(result);
      }
    });
  }

  #storeFailed(error: StoreError, group: readonly Pending[], timed: readonly Operation[]): void {
    this.#tryAgainLater();
    for (const { reject } of group) reject(error);
    this.#participant.failed(timed);
    if (error.code === "shard-lost" || error.code === "lost") this.#participant.storeLost(error);
  }

  /** Something in this commit throws: each part of it is tried by itself, and only that one fails. */
  async #oneByOne(group: readonly Pending[], timed: readonly Operation[]): Promise<void> {
    const failures: string[] = [];
    for (const one of group) {
      const error = await this.#commit([one], [], false);
      if (error === undefined) continue;
      one.reject(error);
      failures.push(this.lastError);
    }
    for (const operation of timed) {
      if ((await this.#commit([], [operation], false)) === undefined) continue;
      this.#participant.failed([operation]);
      failures.push(this.lastError);
    }
    if ((await this.#commit([], [], true)) !== undefined) {
      this.#participant.claimsFailed();
      failures.push(this.lastError);
    }
    this.lastError = failures.at(-1) ?? "";
    if (failures.length > 0) this.#tryAgainLater();
  }

  #tryAgainLater(): void {
    this.#retry?.cancel();
    const cancel = this.#clock.after(retryAfterFailureMs, () => {
      this.#retry = undefined;
      this.wake();
    });
    this.#retry = { at: this.#time.now() + retryAfterFailureMs, cancel };
  }

  #worksAgain(): void {
    this.#retry?.cancel();
    this.#retry = undefined;
  }
}

/** How many tasks an operation names. Those that name a limit instead are as long as others that reach it. */
function tasksOf(operation: Operation): number {
  switch (operation.verb) {
    case "add":
      return operation.tasks.length;
    case "answer":
      return operation.answers.length;
    case "renew":
    case "return":
      return operation.leases.length;
    case "cancel":
      return operation.ids.length;
    case "promote":
    case "expire":
    case "fall-back":
    case "sweep":
    case "delete-queue":
      return operation.limit;
    case "change-tasks":
      return operation.examine;
    case "confirm":
    case "repoll":
    case "create-namespace":
    case "configure":
    case "pause":
    case "resume":
    case "drain":
    case "drain-worker":
    case "note":
      return 1;
  }
}
