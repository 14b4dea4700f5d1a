import type Database from "better-sqlite3";
import type { QueueState } from "./queues.ts";
import { steady } from "./steady.ts";
import type { Writes } from "./journal/writes.ts";

/** Ready tasks that have a fallback: those that move when nobody serves their queue. */
export class Fallbacks {
  readonly #sql;

  constructor(db: Database.Database, writes: Writes) {
    this.#sql = {
      add: writes.prepare("insert or ignore into fallback values(?, ?)"),
      delete: writes.prepare("delete from fallback where queue = ? and seq = ?"),
      of: db
        .prepare<[number, number], number>(steady("select seq from fallback where queue = ? order by seq limit ?"))
        .pluck(),
      queues: db.prepare<[], number>("select distinct queue from fallback").pluck(),
    };
  }

  /** Such a task became ready. */
  add(queue: QueueState, seq: number): void {
    this.#sql.add.run(queue.id, seq);
  }

  /** It is ready no more. */
  delete(queue: QueueState, seq: number): void {
    this.#sql.delete.run(queue.id, seq);
  }

  /** Up to `limit` of a queue, in order of adding. */
  of(queue: QueueState, limit: number): number[] {
    return this.#sql.of.all(queue.id, limit);
  }

  /** The ids of the queues that have some. */
  queues(): number[] {
    return this.#sql.queues.all();
  }
}
