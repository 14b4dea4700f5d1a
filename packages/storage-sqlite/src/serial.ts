import type Database from "better-sqlite3";
import type { QueueState } from "./queues.ts";
import { steady } from "./steady.ts";
import type { Writes } from "./journal/writes.ts";

/** A task in line for its serial key. */
export interface InLine {
  readonly place: number;
  readonly seq: number;
  /** When it became ready. */
  readonly since: number;
}

/**
 * The lines for serial keys: at most the first of each is placed or started. A task joins as it becomes ready for the
 * first time, so that one that is delayed holds up nobody; a back-off keeps its turn.
 */
export class SerialLines {
  readonly #sql;

  constructor(db: Database.Database, writes: Writes) {
    this.#sql = {
      first: db.prepare<[number, string], InLine>(
        steady("select place, seq, since from serial where queue = ? and key = ? order by place limit 1"),
      ),
      since: db
        .prepare<[number, string, number], number>("select since from serial where queue = ? and key = ? and place = ?")
        .pluck(),
      join: writes.prepare("insert into serial values(?, ?, ?, ?, ?)"),
      leave: writes.prepareReturning<number>(
        "delete from serial where queue = ? and key = ? and place = ? returning since",
      ),
    };
  }

  /** Who is first. */
  first(queue: QueueState, key: string): InLine | undefined {
    return this.#sql.first.get(queue.id, key);
  }

  /** Since when the one at this place is ready. */
  since(queue: QueueState, key: string, place: number): number | undefined {
    return this.#sql.since.get(queue.id, key, place);
  }

  /** Joins at the end. Answers whether nobody was there. */
  join(queue: QueueState, key: string, task: InLine): boolean {
    const alone = this.first(queue, key) === undefined;
    this.#sql.join.run(queue.id, key, task.place, task.seq, task.since);
    return alone;
  }

  /** Leaves the line, from wherever in it. Answers since when the task was ready. */
  leave(queue: QueueState, key: string, place: number): number {
    const since = this.#sql.leave.get(queue.id, key, place);
    if (since === undefined) throw new Error(`nobody stands at place ${place} in the line for ${key}`);
    return since;
  }
}
