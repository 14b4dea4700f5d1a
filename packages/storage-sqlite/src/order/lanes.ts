import type Database from "better-sqlite3";
import type { Priority } from "@tq/matching-core";
import { QueueCache } from "../queue-cache.ts";
import type { QueueState } from "../queues.ts";
import { steady } from "../steady.ts";

/** How many keys' lanes are held in memory; beyond, all are let go and read again as needed. */
const maxCached = 50_000;

/** A lane: the later tasks of one heavy key and one type, and where their marker stands in the front. */
export interface Lane {
  readonly type: string;
  markerPass: number;
  markerPlace: number;
  blocked: boolean;
}

/** A task in a lane. */
export interface LaneRow {
  readonly place: number;
  readonly seq: number;
  readonly weight: number;
  readonly since: number;
}

/** Which lanes each fairness key has, and what is in them. */
export class Lanes {
  readonly #cache = new QueueCache<Lane[]>(maxCached);
  readonly #sql;

  constructor(db: Database.Database) {
    this.#sql = {
      of: db.prepare<
        [number, string, number],
        { type: string; marker_pass: number; marker_place: number; blocked: number }
      >("select type, marker_pass, marker_place, blocked from lane where queue = ? and key = ? and priority = ?"),
      ofKey: db.prepare<[number, string], { priority: Priority }>(
        "select distinct priority from lane where queue = ? and key = ?",
      ),
      set: db.prepare(
        `insert into lane values(?, ?, ?, ?, ?, ?, ?) on conflict do update
         set marker_pass = excluded.marker_pass, marker_place = excluded.marker_place, blocked = excluded.blocked`,
      ),
      delete: db.prepare("delete from lane where queue = ? and key = ? and priority = ? and type = ?"),
      push: db.prepare("insert into lane_row values(?, ?, ?, ?, ?, ?, ?, ?)"),
      rows: db
        .prepare<[number, string, number, string, number, number], [number, number, number, number]>(
          steady(`select place, seq, weight, since from lane_row
           where queue = ? and key = ? and priority = ? and type = ? and place > ? order by place limit ?`),
        )
        .raw(),
      removeUpTo: db.prepare(
        "delete from lane_row where queue = ? and key = ? and priority = ? and type = ? and place > ? and place <= ?",
      ),
      remove: db.prepare(
        "delete from lane_row where queue = ? and key = ? and priority = ? and type = ? and place = ?",
      ),
    };
  }

  /** Forgets what is in memory. */
  reset(): void {
    this.#cache.clear();
  }

  /** Lets go of what is in memory if it is too much. Between transactions only. */
  evict(): void {
    this.#cache.evict();
  }

  /** The queue is gone, or let go of. */
  forget(queueId: number): void {
    this.#cache.forget(queueId);
  }

  /** The lanes of a key; usually none. */
  of(queue: QueueState, key: string, priority: Priority): readonly Lane[] {
    // Most queues have no heavy key: then there is nothing to look up.
    return queue.lanes === 0 ? [] : this.#of(queue, key, priority);
  }

  /** The lanes of a key over all priorities. */
  ofKey(queue: QueueState, key: string): readonly { readonly priority: Priority; readonly lane: Lane }[] {
    return this.#sql.ofKey
      .all(queue.id, key)
      .flatMap(({ priority }) => this.#of(queue, key, priority).map((lane) => ({ priority, lane })));
  }

  /** Opens a lane, or moves its marker. */
  set(queue: QueueState, key: string, priority: Priority, lane: Lane): void {
    const lanes = this.#of(queue, key, priority);
    const present = lanes.find((one) => one.type === lane.type);
    if (present === undefined) {
      lanes.push(lane);
      queue.lanes += 1;
    } else Object.assign(present, lane);
    this.#sql.set.run(queue.id, key, priority, lane.type, lane.markerPass, lane.markerPlace, lane.blocked ? 1 : 0);
  }

  /** Closes a lane that has become empty. */
  delete(queue: QueueState, key: string, priority: Priority, type: string): void {
    const lanes = this.#of(queue, key, priority);
    const at = lanes.findIndex((lane) => lane.type === type);
    if (at !== -1) {
      lanes.splice(at, 1);
      queue.lanes -= 1;
    }
    this.#sql.delete.run(queue.id, key, priority, type);
  }

  push(queue: QueueState, key: string, priority: Priority, type: string, row: LaneRow): void {
    this.#sql.push.run(queue.id, key, priority, type, row.place, row.seq, row.weight, row.since);
  }

  /** Up to `limit` rows of a lane behind a place. */
  rows(queue: QueueState, key: string, priority: Priority, type: string, after: number, limit: number): LaneRow[] {
    return this.#sql.rows
      .all(queue.id, key, priority, type, after, limit)
      .map(([place, seq, weight, since]) => ({ place, seq, weight, since }));
  }

  remove(queue: QueueState, key: string, priority: Priority, type: string, place: number): boolean {
    return this.#sql.remove.run(queue.id, key, priority, type, place).changes > 0;
  }

  /** Removes the rows behind a place, up to another and with it. */
  removeUpTo(queue: QueueState, key: string, priority: Priority, type: string, after: number, upTo: number): void {
    this.#sql.removeUpTo.run(queue.id, key, priority, type, after, upTo);
  }

  #of(queue: QueueState, key: string, priority: Priority): Lane[] {
    let lanes = this.#cache.get(queue, priority, key);
    if (lanes === undefined) {
      lanes = this.#sql.of.all(queue.id, key, priority).map(({ type, marker_pass, marker_place, blocked }) => ({
        type,
        markerPass: marker_pass,
        markerPlace: marker_place,
        blocked: blocked !== 0,
      }));
      this.#cache.set(queue, priority, key, lanes);
    }
    return lanes;
  }
}
