import { taskQueueKey, type ClaimRequest, type TaskQueue } from "@tq/matching-core";
import {
  StoreError,
  type BackupProgress,
  type Commit,
  type Committed,
  type DispatchedTask,
  type Opened,
  type Operation,
  type OperationResult,
  type Store,
} from "@tq/storage";
import type { Clock } from "../src/clock.ts";
import { Engine } from "../src/matching/engine.ts";
import type { PollCall } from "../src/matching/matching.ts";

/** The queue that everything of a scripted store is about. */
export const queue: TaskQueue = { namespace: "default", name: "q", kind: "activity" };
const registrations = { activity: null, workflow: null };
/** A worker that takes everything. */
export const worker = {
  namespace: "default",
  workerId: "w",
  identity: "",
  buildId: "",
  registrationsHash: "",
  registrations,
};

interface Timer {
  readonly at: number;
  readonly callback: () => void;
}

/** A clock that a spec moves. */
export class StillClock implements Clock {
  #now = 1_000_000;
  readonly #timers = new Set<Timer>();
  wallNow = (): number => this.#now;
  monotonicNow = (): number => this.#now;
  soon = (callback: () => void): void => void setImmediate(callback);
  after = (delayMs: number, callback: () => void): (() => void) => {
    const timer = { at: this.#now + delayMs, callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  };

  /** Moves it on; each timer on the way fires at its own time. */
  async advance(ms: number): Promise<void> {
    const until = this.#now + ms;
    for (;;) {
      const none: Timer = { at: Infinity, callback: () => undefined };
      const next = [...this.#timers].reduce((first, timer) => (timer.at < first.at ? timer : first), none);
      this.#now = Math.max(this.#now, Math.min(next.at, until));
      if (next.at > until) break;
      this.#timers.delete(next);
      next.callback();
      await settle();
    }
    await settle();
  }
}

/** Lets everything that has begun come to rest. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 6; i++) await new Promise((resolve) => void setImmediate(resolve));
}

/** A store of which a spec says what it has to give, what is leased, and whether it can write. */
export class ScriptedStore {
  readonly commits: Commit[] = [];
  /** What each commit was asked to claim. */
  readonly planned: { readonly now: number; readonly claims: readonly ClaimRequest[] }[] = [];
  /** Whether every commit touches the queue. */
  touches = true;
  /** Leases that are ready to be granted. */
  ready: DispatchedTask[] = [];
  /** What a repeated poll is answered with. */
  leased: DispatchedTask[] = [];
  failing = false;
  /** Set: commits wait for it. */
  stall: Promise<void> | undefined;
  /** When what is committed is on disk. */
  disk = Promise.resolve();
  refusesAnswers = false;
  promoteAt: number | undefined;
  /** What a backup does, telling its progress. */
  backup: (onProgress: () => void) => Promise<void> = async () => Promise.resolve();
  /** What opening finds, beside the rest. */
  opened: Partial<Opened> = {};
  /** The next claims find nothing before this moment. */
  claimsWaitUntil: number | undefined;
  /** Operations that are answered so, in place of the usual. */
  onOperation: (operation: Operation) => object | undefined = () => undefined;
  /** Queues in which, as the next commit says, a task that has a fallback became ready. */
  withFallback: TaskQueue[] = [];

  readonly store = {
    description: "scripted",
    open: async (now: number) => ({
      lease: { shard: 0, epoch: 1 },
      now,
      nextDue: this.#nextDue(),
      withFallback: [],
      drainedWorkers: [],
      unconfirmed: [],
      ...this.opened,
    }),
    close: async () => undefined,
    backup: async (_path: string, onProgress: (progress: BackupProgress) => void) => {
      await this.backup(() => onProgress({ pagesTotal: 2, pagesRemaining: 1 }));
      return { bytes: 0 };
    },
    countLeased: async () => this.leased.length,
    getTasks: async (_: string, ids: readonly string[]) => ids.map((id) => ({ id })),
    commit: async (commit: Commit): Promise<Committed> => {
      this.commits.push(commit);
      await this.stall;
      if (this.failing) throw new StoreError("unavailable", "the disk is full");
      const results = commit.operations.map((operation) => {
        const scripted = this.onOperation(operation);
        if (scripted !== undefined) return scripted;
        if (operation.verb === "repoll") return { verb: "repoll", tasks: this.leased };
        if (operation.verb === "answer" && this.refusesAnswers) {
          return { verb: "answer", refused: { reason: "request-id-reused", index: 0, subject: "r" } };
        }
        return { verb: operation.verb, statuses: [], lost: [], cancels: [], queues: [], returned: 0, promoted: 0 };
      }) as OperationResult[];
      const touched = new Map(this.touches ? [[taskQueueKey(queue), queue]] : []);
      const plan = commit.plan(touched, results);
      this.planned.push({ now: commit.now, claims: plan.claims });
      const granted = plan.offers.map(({ slots }) => this.ready.splice(0, slots));
      return {
        durable: this.disk,
        now: commit.now,
        results,
        claims: plan.claims.map(() => ({
          dry: true,
          ...(this.claimsWaitUntil !== undefined && { until: this.claimsWaitUntil }),
        })),
        granted,
        closed: [],
        notices: [],
        added: new Map(),
        touched: new Map(),
        withFallback: new Map(this.withFallback.splice(0).map((one) => [taskQueueKey(one), one])),
        nextDue: this.#nextDue(),
      };
    },
  } as unknown as Store;

  /** The operations of one verb, in commits that went through. */
  operations<Verb extends Operation["verb"]>(verb: Verb): Extract<Operation, { verb: Verb }>[] {
    const all = this.commits.flatMap(({ operations }) => operations);
    return all.filter((operation): operation is Extract<Operation, { verb: Verb }> => operation.verb === verb);
  }

  /** The leases that were given back, in commits that went through. */
  get returned(): readonly number[] {
    return this.commits.flatMap(({ operations }) =>
      operations.flatMap((operation) =>
        operation.verb === "return" ? operation.leases.map(({ leaseNo }) => leaseNo) : [],
      ),
    );
  }

  #nextDue(): object {
    return this.promoteAt === undefined ? {} : { promote: this.promoteAt };
  }
}

/** A delivery under this lease. */
export function delivery(leaseNo: number): DispatchedTask {
  return { id: "a", lease: { seq: 1, leaseNo }, queue } as unknown as DispatchedTask;
}

const engines: Engine[] = [];

/** Stops what {@link startEngine} started. */
export async function stopEngines(): Promise<void> {
  await Promise.all(engines.splice(0).map(async (engine) => engine.stop()));
}

/** An engine over a scripted store. */
export async function startEngine(scripted: ScriptedStore, clock: Clock = new StillClock()): Promise<Engine> {
  const engine = new Engine({
    store: scripted.store,
    clock,
    instanceId: "i",
    maxReplyBytes: 1_000_000,
    onFatal: (error) => {
      throw error;
    },
  });
  engines.push(engine);
  await engine.start();
  return engine;
}

/** A poll that waits for 20 s. */
export function pollCall(more: Partial<PollCall> = {}): PollCall {
  return {
    worker,
    pollId: "p",
    queues: [queue],
    maxTasks: 1,
    leaseMs: 3_600_000,
    waitMs: 20_000,
    receivedPollIds: [],
    signal: new AbortController().signal,
    delivery: { onUndelivered: () => undefined },
    ...more,
  };
}
