import {
  defaultPriority,
  defaultRetryPolicy,
  defaultWeight,
  type LeaseRef,
  type RetryPolicy,
  type TaskQueue,
  type TypeSet,
} from "@tq/matching-core";
import type {
  AddedTask,
  AddResult,
  Answer,
  AnswerStatus,
  CancelStatus,
  CommandRecord,
  ClaimOrder,
  Operation,
  PlanClaims,
  Refusal,
  ResultOf,
} from "../operations.ts";
import type { ActionRecord } from "../operator-operations.ts";
import type { DispatchedTask, FailureRecord, NewTask, TaskQueueRecord, TaskRecord } from "../records.ts";
import type { Committed, NextDue, Opened, ShardLease, Store } from "../store.ts";
import type { Harness, StoreHome } from "./harness.ts";

/** When every test begins. */
export const start = 1_000_000_000_000;
/** The queue of a task that names none. */
export const activities: TaskQueue = { namespace: "default", name: "q", kind: "activity" };
/** A queue of workflow tasks. */
export const workflows: TaskQueue = { namespace: "default", name: "w", kind: "workflow" };
/** What an operation of an operator says of itself. */
export const action: ActionRecord = { actor: "alice", reason: "a test", call: "Test", request: "{}" };
/** One second, then two; three attempts; no jitter. */
export const retryPolicy: RetryPolicy = { ...defaultRetryPolicy("activity"), maximumAttempts: 3, jitter: 0 };

/** A task to add: what is absent is filled in. */
export type SomeTask = Omit<Partial<NewTask>, "retryPolicy"> & {
  readonly id: string;
  readonly retryPolicy?: RetryPolicy;
};

/** One claim with one offer. */
export interface SomeClaim {
  readonly queue?: TaskQueue;
  readonly types?: TypeSet;
  readonly slots?: number;
  readonly maxBytes?: number;
  readonly workerId?: string;
  readonly pollId?: string;
  readonly leaseMs?: number;
  readonly confirmMs?: number;
}

/** Bytes that say so. */
export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** What bytes say. */
export function text(encoded: Uint8Array | undefined): string | undefined {
  return encoded === undefined ? undefined : new TextDecoder().decode(encoded);
}

/** A failure of this type. */
export function failure(type = "Boom", more: Partial<FailureRecord> = {}): FailureRecord {
  return { type, message: `${type} happened`, nonRetryable: false, encoded: bytes(type), ...more };
}

/** Fills in what a task does not say. */
export function newTask(task: SomeTask): NewTask & { readonly retryPolicy: RetryPolicy } {
  const queue = task.queue ?? activities;
  return {
    queue,
    type: "t",
    input: bytes(task.id),
    priority: defaultPriority,
    fairnessKey: "",
    fairnessWeight: defaultWeight,
    startDelayMs: 0,
    retryPolicy,
    idPolicy: "reject",
    ...task,
    // Without limits, but for those that are named: days pass in these tests.
    timeouts: { startToCloseMs: 0, ...task.timeouts },
  };
}

/** The plan of one claim. */
export function claimOrder(claim: SomeClaim): ClaimOrder {
  const { workerId = "w1", pollId = "", leaseMs = 30_000, slots = 100, maxBytes = 1e9 } = claim;
  return {
    offers: [{ workerId, pollId, leaseMs, slots, maxBytes, ...(claim.confirmMs && { confirmMs: claim.confirmMs }) }],
    claims: [{ queue: claim.queue ?? activities, types: claim.types ?? null, offers: [0] }],
  };
}

const nothing: PlanClaims = () => ({ offers: [], claims: [] });

/** Drives one store through commits at a time that tests move by hand. */
export class Driver {
  readonly home: StoreHome;
  store: Store;
  lease: ShardLease = { shard: 0, epoch: 0 };
  now = start;
  /** What opening the store found. */
  opened: Opened | undefined;
  /** What the last commit said. */
  last: Committed | undefined;
  nextDue: NextDue = {};

  private constructor(home: StoreHome) {
    this.home = home;
    this.store = home.store();
  }

  /** A driver with an empty store, open. */
  static async open(harness: Harness): Promise<Driver> {
    const driver = new Driver(await harness.home());
    await driver.#open();
    return driver;
  }

  async dispose(): Promise<void> {
    await this.store.close();
    await this.home.dispose();
  }

  /** Closes the store, and opens it again `afterMs` later. */
  async reopen(afterMs = 0): Promise<void> {
    await this.store.close();
    this.now += afterMs;
    await this.#open();
  }

  /** Kills the store, and opens what was committed `afterMs` later. */
  async crash(afterMs = 0): Promise<void> {
    const dead = this.store;
    await this.home.crash();
    this.now += afterMs;
    await this.#open();
    // Only the process's own handles: its data are elsewhere by now.
    await dead.close();
  }

  async #open(): Promise<void> {
    this.store = this.home.store();
    const opened = await this.store.open(this.now);
    this.opened = opened;
    this.lease = opened.lease;
    this.nextDue = opened.nextDue;
    await this.home.checkInvariants?.(this.store);
  }

  async commit(operations: readonly Operation[], plan: PlanClaims = nothing): Promise<Committed> {
    const committed = await this.store.commit({ lease: this.lease, now: this.now, operations, plan });
    await committed.durable;
    this.last = committed;
    this.nextDue = committed.nextDue;
    await this.home.checkInvariants?.(this.store);
    return committed;
  }

  /** One operation in a commit of its own. */
  async run<O extends Operation>(operation: O): Promise<ResultOf<O>> {
    const { results } = await this.commit([operation]);
    // The contract: one result for each operation, with its verb.
    return results[0] as ResultOf<O>;
  }

  async tryAdd(tasks: readonly SomeTask[], requestId?: string): Promise<AddResult> {
    const request = requestId === undefined ? {} : { request: { namespace: "default", id: requestId } };
    return this.run({ verb: "add", tasks: tasks.map(newTask), ...request });
  }

  /** Adds tasks that are not refused. */
  async add(...tasks: readonly SomeTask[]): Promise<readonly AddedTask[]> {
    const result = await this.tryAdd(tasks);
    if ("refused" in result) throw new Error(`refused: ${JSON.stringify(result.refused)}`);
    return result.added;
  }

  /** Adds tasks that are refused. */
  async refusal(...tasks: readonly SomeTask[]): Promise<Refusal> {
    const result = await this.tryAdd(tasks);
    if ("added" in result) throw new Error(`added: ${JSON.stringify(result.added)}`);
    return result.refused;
  }

  async claim(claim: SomeClaim = {}): Promise<readonly DispatchedTask[]> {
    const { granted } = await this.commit([], () => claimOrder(claim));
    return granted[0] ?? [];
  }

  /** The ids that a claim gets, in order. */
  async claimIds(claim: SomeClaim = {}): Promise<readonly string[]> {
    return (await this.claim(claim)).map((task) => task.id);
  }

  /** The one task that there is to claim. */
  async claimOne(claim: SomeClaim = {}): Promise<DispatchedTask> {
    const [task, ...more] = await this.claim({ slots: 1, ...claim });
    if (task === undefined || more.length > 0) throw new Error("there was nothing to claim");
    return task;
  }

  async answers(answers: readonly Answer[], requestId?: string): Promise<readonly AnswerStatus[]> {
    const request = requestId === undefined ? {} : { request: { namespace: "default", id: requestId } };
    const result = await this.run({ verb: "answer", namespace: "default", answers, ...request });
    if ("refused" in result) throw new Error(`refused: ${JSON.stringify(result.refused)}`);
    return result.statuses;
  }

  async answer(answer: Answer): Promise<AnswerStatus> {
    const [status] = await this.answers([answer]);
    if (status === undefined) throw new Error("an answer got no status");
    return status;
  }

  async complete(
    task: { readonly lease: LeaseRef },
    how: { readonly result?: string; readonly commands?: readonly CommandRecord[] } = {},
  ): Promise<AnswerStatus> {
    const { result, commands = [] } = how;
    return this.answer({
      lease: task.lease,
      kind: "completed",
      commands,
      ...(result !== undefined && { result: bytes(result) }),
    });
  }

  async fail(task: { readonly lease: LeaseRef }, why: FailureRecord = failure()): Promise<AnswerStatus> {
    return this.answer({ lease: task.lease, kind: "failed", failure: why });
  }

  async release(task: { readonly lease: LeaseRef }): Promise<AnswerStatus> {
    return this.answer({ lease: task.lease, kind: "released", reason: "shutdown", toFallback: false });
  }

  async giveBack(
    why: "undelivered" | "unconfirmed",
    ...tasks: readonly { readonly lease: LeaseRef }[]
  ): Promise<number> {
    const leases = tasks.map((task) => task.lease);
    return (await this.run({ verb: "return", leases, why })).returned;
  }

  async renew(
    ...tasks: readonly { readonly lease: LeaseRef }[]
  ): Promise<ResultOf<Extract<Operation, { verb: "renew" }>>> {
    const leases = tasks.map((task) => task.lease);
    return this.run({ verb: "renew", namespace: "default", workerId: "w1", leases, heartbeats: [] });
  }

  async heartbeat(task: { readonly lease: LeaseRef }, details?: string): Promise<void> {
    const beat = { lease: task.lease, ...(details !== undefined && { details: bytes(details) }) };
    await this.run({ verb: "renew", namespace: "default", workerId: "w1", leases: [], heartbeats: [beat] });
  }

  async cancel(ids: readonly string[], force = false): Promise<readonly CancelStatus[]> {
    const result = await this.run({ verb: "cancel", namespace: "default", ids, force, reason: "not needed" });
    if ("refused" in result) throw new Error(`refused: ${JSON.stringify(result.refused)}`);
    return result.statuses;
  }

  /** Moves the time on and does what falls due: promotes, expires and sweeps. */
  async pass(ms: number): Promise<{
    readonly promoted: number;
    readonly expired: number;
    readonly timedOut: number;
    readonly removed: number;
  }> {
    this.now += ms;
    const { promoted } = await this.run({ verb: "promote", limit: 1_000 });
    const { expired, timedOut } = await this.run({ verb: "expire", limit: 1_000 });
    const { removed } = await this.run({ verb: "sweep", limit: 1_000 });
    return { promoted, expired, timedOut, removed };
  }

  async task(id: string): Promise<TaskRecord> {
    const [task] = await this.store.getTasks("default", [id]);
    if (task === undefined) throw new Error(`there is no task ${id}`);
    return task;
  }

  /** A task's state; "gone" if it is unknown. */
  async state(id: string): Promise<TaskRecord["state"] | "gone"> {
    const [task] = await this.store.getTasks("default", [id]);
    return task?.state ?? "gone";
  }

  async states(...ids: readonly string[]): Promise<readonly (TaskRecord["state"] | "gone")[]> {
    const tasks = await this.store.getTasks("default", ids);
    return tasks.map((task) => task?.state ?? "gone");
  }

  async describe(queue: TaskQueue = activities): Promise<TaskQueueRecord> {
    return this.store.describeTaskQueue(queue);
  }
}
