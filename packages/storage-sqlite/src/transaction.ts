import { workerKey, type TaskQueue } from "@tq/matching-core";
import type { ClosedNotice, WorkerNotice } from "@tq/storage";
import type { Ages } from "./ages.ts";
import type { DrainedWorkers } from "./drained-workers.ts";
import type { Events } from "./events.ts";
import type { Fallbacks } from "./fallbacks.ts";
import type { KeyLimits } from "./key-limits.ts";
import type { KeyPasses } from "./key-passes.ts";
import type { Kept } from "./kept.ts";
import type { Namespaces } from "./namespaces.ts";
import type { Numbers } from "./numbers.ts";
import type { Order } from "./order/order.ts";
import type { Queues, QueueState } from "./queues.ts";
import type { SerialLines } from "./serial.ts";
import type { StartedTasks } from "./started.ts";
import type { TaskRows } from "./tasks.ts";
import type { Timers } from "./timers.ts";
import type { Unconfirmed } from "./unconfirmed.ts";

/** The parts of the shard: one for each family of tables. */
export interface Parts {
  readonly namespaces: Namespaces;
  readonly numbers: Numbers;
  readonly queues: Queues;
  readonly ages: Ages;
  readonly order: Order;
  readonly passes: KeyPasses;
  readonly limits: KeyLimits;
  readonly serial: SerialLines;
  readonly started: StartedTasks;
  readonly unconfirmed: Unconfirmed;
  readonly tasks: TaskRows;
  readonly timers: Timers;
  readonly kept: Kept;
  readonly fallbacks: Fallbacks;
  readonly events: Events;
  readonly drainedWorkers: DrainedWorkers;
  /** A number in [0, 1): for jitter. */
  readonly random: () => number;
}

const none: ReadonlyMap<string, never> = new Map<string, never>();

/** A transaction that is under way: the parts, its time, and what it has to tell once it is on disk. */
export class Transaction {
  readonly parts: Parts;
  readonly now: number;
  /** When the store was opened. */
  readonly openedAt: number;
  readonly closed: ClosedNotice[] = [];
  // Made when there is something to put in: most transactions are of one or two tasks.
  #touched: Map<string, TaskQueue> | undefined;
  #notices: Map<string, WorkerNotice> | undefined;
  #added: Map<string, number> | undefined;
  #withFallback: Map<string, TaskQueue> | undefined;

  constructor(parts: Parts, now: number, openedAt: number) {
    this.parts = parts;
    this.now = now;
    this.openedAt = openedAt;
  }

  /** Queues in which something became claimable since this was last asked. */
  takeTouched(): ReadonlyMap<string, TaskQueue> {
    const touched = this.#touched ?? none;
    this.#touched = undefined;
    return touched;
  }

  /** Workers that have something to hear of. */
  get notices(): readonly WorkerNotice[] {
    return this.#notices === undefined ? [] : [...this.#notices.values()];
  }

  /** How many tasks were added to each queue. */
  get added(): ReadonlyMap<string, number> {
    return this.#added ?? none;
  }

  /** Queues in which a task that has a fallback became ready. */
  get withFallback(): ReadonlyMap<string, TaskQueue> {
    return this.#withFallback ?? none;
  }

  touch(queue: QueueState): void {
    this.#touched ??= new Map();
    this.#touched.set(queue.queue.key, queue.queue);
  }

  notify(namespace: string, workerId: string): void {
    this.#notices ??= new Map();
    this.#notices.set(workerKey({ namespace, workerId }), { namespace, workerId });
  }

  countAdded(queue: QueueState): void {
    this.#added ??= new Map();
    this.#added.set(queue.queue.key, (this.#added.get(queue.queue.key) ?? 0) + 1);
  }

  readyWithFallback(queue: QueueState): void {
    this.#withFallback ??= new Map();
    this.#withFallback.set(queue.queue.key, queue.queue);
  }
}
