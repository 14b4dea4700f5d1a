/* What is to be done because its time has come, and when that is next: put before the operations of a commit. */
import { FallbackWatch, taskQueueKey, type LeaseRef, type TaskQueue } from "@tq/matching-core";
import type { Committed, NextDue, Opened, Operation, ReturnOperation } from "@tq/storage";
import type { Confirmations } from "./confirmations.ts";
import { Returns } from "./returns.ts";

/** How many tasks one commit promotes, expires, moves or removes, so that none takes long. */
const timedLimit = 1_000;
/** Least time between two sweeps that found little: removing things early is worth nothing. */
const sweepEveryMs = 200;
/** How many queues fall back in one commit; they share the limit of tasks. */
const queuesFallingBack = 100;

/** What timed work is told from outside. */
export interface TimedWorkSurroundings {
  /** Deliveries that are not confirmed yet. */
  readonly confirmations: Confirmations;
  /** Whether a live worker takes tasks from this queue. */
  readonly isServed: (queueKey: string) => boolean;
}

/** Collects it, and keeps what a commit that failed did not do. */
export class TimedWork {
  readonly #surroundings: TimedWorkSurroundings;
  readonly #returns = new Returns();
  readonly #fallbacks = new FallbackWatch();
  #nextDue: NextDue = {};
  #sweepNotBefore = 0;

  constructor(surroundings: TimedWorkSurroundings) {
    this.#surroundings = surroundings;
  }

  start({ nextDue, withFallback }: Opened, now: number): void {
    this.#nextDue = nextDue;
    this.#fallbacks.start(now);
    for (const queue of withFallback) this.#fallbacks.ready(queue, now);
  }

  /** Deliveries that are to go back with the next commit. */
  giveBack(leases: readonly LeaseRef[], why: ReturnOperation["why"]): void {
    this.#returns.add(leases, why);
  }

  /** A queue has lost its last worker. */
  unserved(queue: TaskQueue, now: number): void {
    this.#fallbacks.unserved(queue, now);
  }

  /** A worker serves this queue. */
  served(queueKey: string): void {
    this.#fallbacks.served(queueKey);
  }

  /** Takes out what is due, for a commit. */
  operations(now: number): readonly Operation[] {
    const { promote, expire, sweep } = this.#nextDue;
    const { confirmations } = this.#surroundings;
    this.#returns.add(confirmations.takeOverdue(now), "unconfirmed");
    const operations: Operation[] = [...confirmations.takeToTell(), ...this.#returns.take()];
    if (expire !== undefined && expire <= now) operations.push({ verb: "expire", limit: timedLimit });
    if (promote !== undefined && promote <= now) operations.push({ verb: "promote", limit: timedLimit });
    if (sweep !== undefined && Math.max(sweep, this.#sweepNotBefore) <= now)
      operations.push({ verb: "sweep", limit: timedLimit });
    const unserved = this.#fallbacks.takeDue(now, queuesFallingBack);
    const limit = Math.ceil(timedLimit / Math.max(unserved.length, 1));
    for (const queue of unserved) operations.push({ verb: "fall-back", queue, limit });
    return operations;
  }

  /** These of it are on disk; their results are the first of the commit's. */
  committed({ now, results, nextDue, withFallback }: Committed, timed: readonly Operation[]): void {
    this.#nextDue = nextDue;
    timed.forEach((operation, i) => {
      const result = results[i];
      if (result?.verb === "sweep") {
        this.#sweepNotBefore = now + (result.removed >= timedLimit ? 0 : sweepEveryMs);
      } else if (result?.verb === "fall-back" && result.more && operation.verb === "fall-back") {
        this.#watch(operation.queue, now);
      }
    });
    for (const queue of withFallback.values()) this.#watch(queue, now);
  }

  /** These of it did not happen: they are tried again. */
  failed(timed: readonly Operation[], now: number): void {
    this.#surroundings.confirmations.putBack(timed);
    this.#returns.putBack(timed);
    for (const operation of timed) if (operation.verb === "fall-back") this.#watch(operation.queue, now);
  }

  /** When there is next something to do. */
  due(): number {
    const { promote = Infinity, expire = Infinity, sweep = Infinity } = this.#nextDue;
    const { confirmations } = this.#surroundings;
    const confirm = confirmations.isAheadOfStore ? 0 : (confirmations.nextWake() ?? Infinity);
    const fallBack = this.#fallbacks.nextWake() ?? Infinity;
    const returns = this.#returns.isEmpty ? Infinity : 0;
    return Math.min(promote, expire, Math.max(sweep, this.#sweepNotBefore), confirm, fallBack, returns);
  }

  /** Tasks with a fallback are ready there. */
  #watch(queue: TaskQueue, now: number): void {
    if (!this.#surroundings.isServed(taskQueueKey(queue))) this.#fallbacks.ready(queue, now);
  }
}
