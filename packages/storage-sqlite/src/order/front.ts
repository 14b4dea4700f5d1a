import type Database from "better-sqlite3";
import { before, type Place, type Priority } from "@tq/matching-core";
import { BulkInsert } from "../bulk-insert.ts";
import type { QueueState } from "../queues.ts";
import { steady } from "../steady.ts";
import type { Lane } from "./lanes.ts";
import { mostLate } from "./late.ts";
import type { Value } from "../journal/encoding.ts";
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

/** A marker that has moved on since it was last written: each claim moves those that it meets. */
interface LateMarker {
  readonly lane: Lane;
  /** Where the file has it. */
  readonly written: Place;
  row: FrontRow;
}

/** With more rows of a part than this that are not written yet, it is no gain to look among them. */
const fewRows = 128;

/** The index that claims order by: by (queue, priority, type), then pass, then place. */
export class Front {
  readonly #insert: BulkInsert;
  /** By queue and type. A task that is handed out in the transaction that adds it is never written. */
  #fresh = new Map<QueueState, Map<string, FreshPart[]>>();
  readonly #late = new Map<Lane, LateMarker>();
  readonly #sql;

  constructor(db: Database.Database, writes: Writes) {
    this.#insert = new BulkInsert(writes, "front", 10);
    this.#sql = {
      insert: writes.prepare("insert into front values(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"),
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
      tasksBetween: db
        .prepare<[number, number, string, number, number, number], Columns>(
          steady(`select pass, place, seq, key, marker, weight, since from front
           where queue = ? and priority = ? and type = ? and pass >= ? and pass < ? and marker = 0
           order by pass, place limit ?`),
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
    this.#late.clear();
  }

  /** Writes where late markers have moved to, which the journal has. */
  settle(): void {
    for (const { lane, written, row } of this.#late.values()) {
      const { queue, priority, type } = lane.id;
      this.#sql.delete.settle(queue.id, priority, type, written.pass, written.place);
      this.#sql.insert.settle(...columnsOf(queue, priority, type, row));
    }
    this.#late.clear();
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
          for (const row of rows) this.#insert.add(...columnsOf(queue, priority, type, row));
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

  /** Puts a task in where one was dispatched from: a marker may have stood there that has moved on since. */
  insertAgain(queue: QueueState, priority: Priority, type: string, row: FrontRow): void {
    this.settle();
    this.insert(queue, priority, type, row);
  }

  /** Moves a lane's marker from where the lane says that it is. */
  moveMarker(lane: Lane, row: FrontRow): void {
    const { queue, priority, type } = lane.id;
    const late = this.#late.get(lane);
    if (late === undefined && this.#late.size >= mostLate) {
      this.removeMarker(lane);
      this.insert(queue, priority, type, row);
      return;
    }
    this.flush();
    const { markerPass: pass, markerPlace: place } = lane;
    this.#sql.delete.promise(queue.id, priority, type, pass, place);
    this.#sql.insert.promise(...columnsOf(queue, priority, type, row));
    if (late === undefined) this.#late.set(lane, { lane, written: { pass, place }, row });
    else late.row = row;
  }

  /** Takes a lane's marker away from where the lane says that it is. */
  removeMarker(lane: Lane): void {
    const { queue, priority, type } = lane.id;
    const { markerPass: pass, markerPlace: place } = lane;
    const late = this.#late.get(lane);
    if (late === undefined) {
      this.delete(queue, priority, type, { pass, place });
      return;
    }
    this.#late.delete(lane);
    this.#sql.delete.promise(queue.id, priority, type, pass, place);
    this.#sql.delete.settle(queue.id, priority, type, late.written.pass, late.written.place);
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
      return inOrder(fresh.rows.filter((row) => before(at, row))).slice(0, limit);
    }
    const late = this.#lateOf(queue, priority, type);
    const behind = late.flatMap(({ row }) => (before(at, row) ? [row] : []));
    // All that is placed stands in their lanes: there is nothing else.
    if (late.length > 0 && late.reduce((sum, { lane }) => sum + lane.tasks, 0) === placed) {
      return inOrder(behind).slice(0, limit);
    }
    this.flush();
    // Where they stood is read as well.
    const most = limit + late.length;
    const rows = this.#sql.after.all(queue.id, priority, type, at.pass, at.place, most).map(toRow);
    if (late.length === 0) return rows;
    const left = rows.filter((row) => !row.marker || !late.some(({ written }) => written.place === row.place));
    const end = rows.length < most ? undefined : rows.at(-1);
    const moved = behind.filter((row) => end === undefined || before(row, end));
    return inOrder([...left, ...moved]).slice(0, limit);
  }

  /** Up to `limit` tasks from one pass to below another, in order. */
  tasksBetween(
    queue: QueueState,
    priority: Priority,
    type: string,
    from: number,
    to: number,
    limit: number,
  ): FrontRow[] {
    this.flush();
    return this.#sql.tasksBetween.all(queue.id, priority, type, from, to, limit).map(toRow);
  }

  #lateOf(queue: QueueState, priority: Priority, type: string): readonly LateMarker[] {
    if (this.#late.size === 0) return [];
    return [...this.#late.values()].filter(
      ({ lane: { id } }) => id.queue === queue && id.priority === priority && id.type === type,
    );
  }

  #freshPart(queue: QueueState, priority: Priority, type: string): FreshPart | undefined {
    return this.#fresh
      .get(queue)
      ?.get(type)
      ?.find((part) => part.priority === priority);
  }
}

function inOrder(rows: FrontRow[]): FrontRow[] {
  return rows.sort((a, b) => (before(a, b) ? -1 : 1));
}

function columnsOf(queue: QueueState, priority: Priority, type: string, row: FrontRow): Value[] {
  const { pass, place, seq, key, marker, weight, since } = row;
  return [queue.id, priority, type, pass, place, seq, key, marker ? 1 : 0, weight, since];
}

type Columns = [pass: number, place: number, seq: number, key: string, marker: number, weight: number, since: number];

function toRow([pass, place, seq, key, marker, weight, since]: Columns): FrontRow {
  return { pass, place, seq, key, marker: marker !== 0, weight, since };
}
