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

/** Which part of the front: one is ordered by itself. */
interface Part {
  readonly queue: QueueState;
  readonly priority: Priority;
  readonly type: string;
}

/** With more rows than this that are not written yet, it is no gain to look among them. */
const fewRows = 32;

/** The index that claims order by: by (queue, priority, type), then pass, then place. */
export class Front {
  readonly #insert: BulkInsert;
  /** What the transaction put in and that is not written yet: a task that is handed out at once never is. */
  #fresh: (Part & { readonly row: FrontRow })[] = [];
  /** Of these parts, all of what there is was found there. */
  #allFresh: Part[] = [];
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
    this.#fresh = [];
    this.#allFresh = [];
  }

  /** Writes what the transaction changed. Before anything is read or deleted, and at its end. */
  flush(): void {
    this.#insertFresh();
    this.#insert.flush();
  }

  #insertFresh(): void {
    if (this.#allFresh.length > 0) this.#allFresh = [];
    if (this.#fresh.length === 0) return;
    for (const { queue, priority, type, row } of this.#fresh) {
      const { pass, place, seq, key, marker, weight, since } = row;
      this.#insert.add(queue.id, priority, type, pass, place, seq, key, marker ? 1 : 0, weight, since);
    }
    this.#fresh = [];
  }

  insert(queue: QueueState, priority: Priority, type: string, row: FrontRow): void {
    this.#fresh.push({ queue, priority, type, row });
    if (this.#fresh.length > fewRows) this.#insertFresh();
  }

  delete(queue: QueueState, priority: Priority, type: string, at: Place): boolean {
    this.flush();
    return this.#sql.delete.run(queue.id, priority, type, at.pass, at.place) > 0;
  }

  /** Deletes the tasks behind a place, up to another and with it; not the markers. */
  deleteTasks(queue: QueueState, priority: Priority, type: string, after: Place, upTo: Place): void {
    if (this.#allFresh.some((part) => isPart(part, queue, priority, type))) {
      this.#fresh = this.#fresh.filter(
        (one) =>
          !isPart(one, queue, priority, type) || one.row.marker || !before(after, one.row) || before(upTo, one.row),
      );
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
    if (queue.lanes === 0 && placed <= this.#fresh.length) {
      const fresh = this.#fresh.filter((one) => isPart(one, queue, priority, type));
      if (fresh.length === placed) {
        this.#allFresh.push({ queue, priority, type });
        const behind = fresh.map(({ row }) => row).filter((row) => before(at, row));
        return behind.sort((a, b) => (before(a, b) ? -1 : 1)).slice(0, limit);
      }
    }
    this.flush();
    return this.#sql.after.all(queue.id, priority, type, at.pass, at.place, limit).map(toRow);
  }

  /** Up to `limit` rows from one pass to below another, in order. */
  between(queue: QueueState, priority: Priority, type: string, from: number, to: number, limit: number): FrontRow[] {
    this.flush();
    return this.#sql.between.all(queue.id, priority, type, from, to, limit).map(toRow);
  }
}

function isPart(part: Part, queue: QueueState, priority: Priority, type: string): boolean {
  return part.queue === queue && part.type === type && part.priority === priority;
}

type Columns = [pass: number, place: number, seq: number, key: string, marker: number, weight: number, since: number];

function toRow([pass, place, seq, key, marker, weight, since]: Columns): FrontRow {
  return { pass, place, seq, key, marker: marker !== 0, weight, since };
}
