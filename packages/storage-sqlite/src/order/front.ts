import type Database from "better-sqlite3";
import { before, type Place, type Priority } from "@tq/matching-core";
import { BulkInsert } from "../bulk-insert.ts";
import type { QueueState } from "../queues.ts";
import { steady } from "../steady.ts";
import type { Writes } from "../journal/writes.ts";

/** A row of the front: a task, or the marker that stands for a heavy key's lanes. */
export interface FrontRow extends Place {
  /** 0 for a marker. */
  readonly seq: number;
  readonly key: string;
  readonly marker: boolean;
  readonly weight: number;
  readonly since: number;
}

/** What the transaction put into the part of one queue, type and priority, which is ordered by itself, and is not written yet. */
interface FreshPart {
  readonly priority: Priority;
  rows: FrontRow[];
  /** The file has none of it: all that there is was found here. */
  isAll: boolean;
}

/** With more rows of a part than this that are not written yet, it is no gain to look among them. */
const fewRows = 128;

/** The index that claims order by: by (queue, priority, type), then pass, then place. */
export class Front {
  readonly #insert: BulkInsert;
  /** By queue and type. A task that is handed out in the transaction that adds it is never written. */
  #fresh = new Map<QueueState, Map<string, FreshPart[]>>();
  readonly #sql;

  constructor(db: Database.Database, writes: Writes) {
    this.#insert = new BulkInsert(writes, "front", 10);
    this.#sql = {
      delete: writes.prepare(
        "delete from front where queue = ? and priority = ? and type = ? and pass = ? and place = ?",
      ),
      deleteTasks: writes.prepare(
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
    if (this.#fresh.size > 0) this.#fresh = new Map();
  }

  /** Writes what the transaction changed. Before anything is read or deleted, and at its end. */
  flush(): void {
    this.#insertFresh();
    this.#insert.flush();
  }

  #insertFresh(): void {
    if (this.#fresh.size === 0) return;
    for (const [queue, types] of this.#fresh) {
      for (const [type, parts] of types) {
        for (const { priority, rows } of parts) {
          for (const { pass, place, seq, key, marker, weight, since } of rows) {
            this.#insert.add(queue.id, priority, type, pass, place, seq, key, marker ? 1 : 0, weight, since);
          }
        }
      }
    }
    this.#fresh = new Map();
  }

  insert(queue: QueueState, priority: Priority, type: string, row: FrontRow): void {
    const part = this.#freshPart(queue, priority, type);
    if (part !== undefined) {
      part.rows.push(row);
      if (part.rows.length > fewRows) this.#insertFresh();
      return;
    }
    const made: FreshPart = { priority, rows: [row], isAll: false };
    let types = this.#fresh.get(queue);
    if (types === undefined) this.#fresh.set(queue, (types = new Map<string, FreshPart[]>()));
    const parts = types.get(type);
    if (parts === undefined) types.set(type, [made]);
    else parts.push(made);
  }

  delete(queue: QueueState, priority: Priority, type: string, at: Place): boolean {
    this.flush();
    return this.#sql.delete.run(queue.id, priority, type, at.pass, at.place) > 0;
  }

  /** Deletes the tasks behind a place, up to another and with it; not the markers. */
  deleteTasks(queue: QueueState, priority: Priority, type: string, after: Place, upTo: Place): void {
    const fresh = this.#freshPart(queue, priority, type);
    if (fresh?.isAll === true) {
      fresh.rows = fresh.rows.filter((row) => row.marker || !before(after, row) || before(upTo, row));
      return;
    }
    this.flush();
    this.#sql.deleteTasks.run(queue.id, priority, type, after.pass, after.place, upTo.pass, upTo.place);
  }

  /** Since when the task at this place is ready; undefined if there is none, or a marker. */
  since(queue: QueueState, priority: Priority, type: string, at: Place): number | undefined {
    this.flush();
    return this.#sql.since.get(queue.id, priority, type, at.pass, at.place);
  }

  /**
   * Up to `limit` rows behind a place, in order.
   *
   * @param placed how many tasks of this part there are
   */
  after(queue: QueueState, priority: Priority, type: string, at: Place, limit: number, placed: number): FrontRow[] {
    // Without lanes every task that is placed stands here, so nothing of the part is in the file.
    const fresh = queue.lanes === 0 ? this.#freshPart(queue, priority, type) : undefined;
    if (fresh !== undefined && fresh.rows.length === placed) {
      fresh.isAll = true;
      const behind = fresh.rows.filter((row) => before(at, row));
      return behind.sort((a, b) => (before(a, b) ? -1 : 1)).slice(0, limit);
    }
    this.flush();
    return this.#sql.after.all(queue.id, priority, type, at.pass, at.place, limit).map(toRow);
  }

  /** Up to `limit` rows from one pass to below another, in order. */
  between(queue: QueueState, priority: Priority, type: string, from: number, to: number, limit: number): FrontRow[] {
    this.flush();
    return this.#sql.between.all(queue.id, priority, type, from, to, limit).map(toRow);
  }

  #freshPart(queue: QueueState, priority: Priority, type: string): FreshPart | undefined {
    return this.#fresh
      .get(queue)
      ?.get(type)
      ?.find((part) => part.priority === priority);
  }
}

type Columns = [pass: number, place: number, seq: number, key: string, marker: number, weight: number, since: number];

function toRow([pass, place, seq, key, marker, weight, since]: Columns): FrontRow {
  return { pass, place, seq, key, marker: marker !== 0, weight, since };
}
