import type Database from "better-sqlite3";
import type { Place, Priority } from "@tq/matching-core";
import { BulkInsert } from "../bulk-insert.ts";
import type { QueueState } from "../queues.ts";
import { steady } from "../steady.ts";

/** A row of the front: a task, or the marker that stands for a heavy key's lanes. */
export interface FrontRow extends Place {
  /** 0 for a marker. */
  readonly seq: number;
  readonly key: string;
  readonly marker: boolean;
  readonly weight: number;
  readonly since: number;
}

/** The index that claims order by: by (queue, priority, type), then pass, then place. */
export class Front {
  readonly #insert: BulkInsert;
  readonly #sql;

  constructor(db: Database.Database) {
    this.#insert = new BulkInsert(db, "front", 10);
    this.#sql = {
      delete: db.prepare("delete from front where queue = ? and priority = ? and type = ? and pass = ? and place = ?"),
      deleteTasks: db.prepare(
        `delete from front where queue = ? and priority = ? and type = ? and (pass, place) > (?, ?) and (pass, place) <= (?, ?)
           and marker = 0`,
      ),
      since: db
        .prepare<[number, number, string, number, number], number>(
          "select since from front where queue = ? and priority = ? and type = ? and pass = ? and place = ? and marker = 0",
        )
        .pluck(),
      between: db
        .prepare<[number, number, string, number, number, number], Columns>(
          steady(`select pass, place, seq, key, marker, weight, since from front
           where queue = ? and priority = ? and type = ? and pass >= ? and pass < ? order by pass, place limit ?`),
        )
        .raw(),
      after: db
        .prepare<[number, number, string, number, number, number], Columns>(
          steady(`select pass, place, seq, key, marker, weight, since from front
           where queue = ? and priority = ? and type = ? and (pass, place) > (?, ?) order by pass, place limit ?`),
        )
        .raw(),
    };
  }

  /** Forgets what is in memory: the transaction failed. */
  reset(): void {
    this.#insert.reset();
  }

  /** Writes what the transaction changed. Before anything is read or deleted, and at its end. */
  flush(): void {
    this.#insert.flush();
  }

  insert(queue: QueueState, priority: Priority, type: string, row: FrontRow): void {
    const { pass, place, seq, key, marker, weight, since } = row;
    this.#insert.add(queue.id, priority, type, pass, place, seq, key, marker ? 1 : 0, weight, since);
  }

  delete(queue: QueueState, priority: Priority, type: string, at: Place): boolean {
    this.flush();
    return this.#sql.delete.run(queue.id, priority, type, at.pass, at.place).changes > 0;
  }

  /** Deletes the tasks behind a place, up to another and with it; not the markers. */
  deleteTasks(queue: QueueState, priority: Priority, type: string, after: Place, upTo: Place): void {
    this.flush();
    this.#sql.deleteTasks.run(queue.id, priority, type, after.pass, after.place, upTo.pass, upTo.place);
  }

  /** Since when the task at this place is ready; undefined if there is none, or a marker. */
  since(queue: QueueState, priority: Priority, type: string, at: Place): number | undefined {
    this.flush();
    return this.#sql.since.get(queue.id, priority, type, at.pass, at.place);
  }

  /** Up to `limit` rows behind a place, in order. */
  after(queue: QueueState, priority: Priority, type: string, at: Place, limit: number): FrontRow[] {
    this.flush();
    return this.#sql.after.all(queue.id, priority, type, at.pass, at.place, limit).map(toRow);
  }

  /** Up to `limit` rows from one pass to below another, in order. */
  between(queue: QueueState, priority: Priority, type: string, from: number, to: number, limit: number): FrontRow[] {
    this.flush();
    return this.#sql.between.all(queue.id, priority, type, from, to, limit).map(toRow);
  }
}

type Columns = [pass: number, place: number, seq: number, key: string, marker: number, weight: number, since: number];

function toRow([pass, place, seq, key, marker, weight, since]: Columns): FrontRow {
  return { pass, place, seq, key, marker: marker !== 0, weight, since };
}
