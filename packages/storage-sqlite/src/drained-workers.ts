import { drainedWorkerKeptMs } from "@tq/matching-core";
import type Database from "better-sqlite3";
import { steady } from "./steady.ts";
import type { Writes } from "./journal/writes.ts";
import { Soonest } from "./soonest.ts";

/** Workers that are to take nothing new. */
export class DrainedWorkers {
  readonly #oldest = new Soonest(() => this.#sql.oldest.get() ?? undefined);
  readonly #sql;

  constructor(db: Database.Database, writes: Writes) {
    this.#sql = {
      add: writes.prepare("insert or replace into drained_worker values(?, ?, ?)"),
      all: db.prepare<[], { namespace: number; worker: string }>("select namespace, worker from drained_worker"),
      drop: writes.prepare(
        steady(`delete from drained_worker where (namespace, worker) in
           (select namespace, worker from drained_worker where at <= ? limit ?)`),
      ),
      oldest: db.prepare<[], number | null>("select min(at) from drained_worker").pluck(),
    };
  }

  /** Forgets what is in memory: the transaction failed. */
  reset(): void {
    this.#oldest.forget();
  }

  add(namespaceId: number, workerId: string, now: number): void {
    // It may have been there, and earlier.
    this.#oldest.forget();
    this.#sql.add.run(namespaceId, workerId, now);
  }

  all(): readonly { readonly namespace: number; readonly worker: string }[] {
    return this.#sql.all.all();
  }

  /** Forgets up to `limit` that are long gone. */
  drop(now: number, limit: number): number {
    this.#oldest.forget();
    return this.#sql.drop.run(now - drainedWorkerKeptMs, limit);
  }

  /** When the next one is forgotten. */
  next(): number | undefined {
    const oldest = this.#oldest.get();
    return oldest === undefined ? undefined : oldest + drainedWorkerKeptMs;
  }
}
