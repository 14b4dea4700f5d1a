import { drainedWorkerKeptMs } from "@tq/matching-core";
import type Database from "better-sqlite3";
import { steady } from "./steady.ts";

/** Workers that are to take nothing new. */
export class DrainedWorkers {
  readonly #sql;

  constructor(db: Database.Database) {
    this.#sql = {
      add: db.prepare("insert or replace into drained_worker values(?, ?, ?)"),
      all: db.prepare<[], { namespace: number; worker: string }>("select namespace, worker from drained_worker"),
      drop: db.prepare(
        steady(`delete from drained_worker where (namespace, worker) in
           (select namespace, worker from drained_worker where at <= ? limit ?)`),
      ),
      oldest: db.prepare<[], number | null>("select min(at) from drained_worker").pluck(),
    };
  }

  add(namespaceId: number, workerId: string, now: number): void {
    this.#sql.add.run(namespaceId, workerId, now);
  }

  all(): readonly { readonly namespace: number; readonly worker: string }[] {
    return this.#sql.all.all();
  }

  /** Forgets up to `limit` that are long gone. */
  drop(now: number, limit: number): number {
    return this.#sql.drop.run(now - drainedWorkerKeptMs, limit).changes;
  }

  /** When the next one is forgotten. */
  next(): number | undefined {
    const oldest = this.#sql.oldest.get() ?? undefined;
    return oldest === undefined ? undefined : oldest + drainedWorkerKeptMs;
  }
}
