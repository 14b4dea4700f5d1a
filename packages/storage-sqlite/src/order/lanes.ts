import type Database from "better-sqlite3";
import type { Priority } from "@tq/matching-core";
import { QueueCache } from "../queue-cache.ts";
import type { QueueState } from "../queues.ts";
import type { KeyLimits } from "../key-limits.ts";
import { LaneRows, type LaneId, type LaneRow, type Run } from "./lane-rows.ts";
import { mostLate } from "./late.ts";
import type { Value } from "../journal/encoding.ts";
import type { Writes } from "../journal/writes.ts";

/** How many keys' lanes are held in memory; beyond, all are let go and read again as needed. */
const maxCached = 50_000;

/** Where the marker of a type's lane stands in the front, unless it is blocked. */
export interface LaneMarker {
  readonly type: string;
  markerPass: number;
  markerPlace: number;
  blocked: boolean;
}

/** A lane: the later tasks of one heavy key and one type, and their marker. */
export interface Lane extends LaneMarker {
  /** How many tasks stand in it. */
  tasks: number;
  /** Its last run, if the present transaction put it in. */
  tail: Run | undefined;
  /** Whether the present transaction changed its marker or its number of tasks. */
  isChanged: boolean;
  readonly id: LaneId;
}

/** Which lanes each fairness key has, and what is in them. */
export class Lanes {
  readonly #cache = new QueueCache<Lane[]>(maxCached);
  readonly #rows: LaneRows;
  /** Those that the transaction changed. */
  readonly #changed: Lane[] = [];
  /** Of which the journal alone has how they are. */
  readonly #late = new Set<Lane>();
  readonly #limits: KeyLimits;
  readonly #sql;

  /** @param limits told how many tasks of each key that is held back stand in its lanes */
  constructor(db: Database.Database, writes: Writes, limits: KeyLimits) {
    this.#rows = new LaneRows(db, writes);
    this.#limits = limits;
    this.#sql = {
      of: db.prepare<
        [number, string, number],
        { type: string; marker_pass: number; marker_place: number; blocked: number; tasks: number }
      >(
        "select type, marker_pass, marker_place, blocked, tasks from lane where queue = ? and key = ? and priority = ?",
      ),
      ofKey: db.prepare<[number, string], { priority: Priority }>(
        "select distinct priority from lane where queue = ? and key = ?",
      ),
      set: writes.prepare(
        `insert into lane values(?, ?, ?, ?, ?, ?, ?, 0) on conflict do update
         set marker_pass = excluded.marker_pass, marker_place = excluded.marker_place, blocked = excluded.blocked`,
      ),
      change: writes.prepare(
        `update lane set marker_pass = ?, marker_place = ?, tasks = ?
         where queue = ? and key = ? and priority = ? and type = ?`,
      ),
      delete: writes.prepare("delete from lane where queue = ? and key = ? and priority = ? and type = ?"),
    };
  }

  /** Forgets what is in memory. */
  reset(): void {
    this.#cache.clear();
    this.#changed.length = 0;
    this.#late.clear();
    this.#rows.reset();
  }

  /** Writes what the journal alone has. */
  settle(): void {
    this.#rows.settle();
    for (const lane of this.#late) this.#sql.change.settle(...changeOf(lane));
    this.#late.clear();
  }

  /** Writes what the transaction put into lanes. */
  flush(): void {
    this.#rows.flush();
    for (const lane of this.#changed) {
      // It was closed meanwhile.
      if (!lane.isChanged) continue;
      lane.isChanged = false;
      // How much of a key is held back is read from the file.
      if (lane.blocked || (this.#late.size >= mostLate && !this.#late.has(lane))) {
        this.#late.delete(lane);
        this.#sql.change.run(...changeOf(lane));
      } else {
        this.#late.add(lane);
        this.#sql.change.promise(...changeOf(lane));
      }
    }
    this.#changed.length = 0;
  }

  /** Lets go of what is in memory if it is too much. Between transactions only. */
  evict(): void {
    if (this.#cache.evict()) this.#rows.letGo();
  }

  /** The queue is gone, or let go of. */
  forget(queueId: number): void {
    this.#cache.forget(queueId);
    this.#rows.letGo();
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

  /** Opens a lane, or moves its marker. Answers the lane. */
  set(queue: QueueState, key: string, priority: Priority, at: LaneMarker): Lane {
    const { type, markerPass, markerPlace, blocked } = at;
    const lanes = this.#of(queue, key, priority);
    let lane = lanes.find((one) => one.type === type);
    if (lane === undefined) {
      lane = laneOf({ queue, key, priority, type }, at, 0);
      lanes.push(lane);
      queue.lanes += 1;
    } else {
      const isBlockedAsBefore = blocked === lane.blocked;
      if (!isBlockedAsBefore) this.#limits.heldTasks(queue, key, blocked ? lane.tasks : -lane.tasks);
      Object.assign(lane, { markerPass, markerPlace, blocked });
      this.#noteChange(lane);
      // Where its marker is now is written at the end of the transaction.
      if (isBlockedAsBefore) return lane;
    }
    this.#sql.set.run(queue.id, key, priority, type, markerPass, markerPlace, blocked ? 1 : 0);
    return lane;
  }

  /** Closes a lane that has become empty. */
  delete(queue: QueueState, key: string, priority: Priority, type: string): void {
    const lanes = this.#of(queue, key, priority);
    const at = lanes.findIndex((lane) => lane.type === type);
    if (at !== -1) {
      for (const lane of lanes.splice(at, 1)) {
        lane.isChanged = false;
        this.#late.delete(lane);
      }
      queue.lanes -= 1;
    }
    this.#sql.delete.run(queue.id, key, priority, type);
  }

  /** Puts a task into an open lane, behind all others of it. */
  push(lane: Lane, row: LaneRow): void {
    lane.tail = this.#rows.push(lane.id, row, lane.tail);
    this.#count(lane, 1);
  }

  /** Puts a task into an open lane, wherever its place is in it. */
  putInto(lane: Lane, row: LaneRow): void {
    this.#rows.putInto(lane.id, row);
    this.#count(lane, 1);
  }

  /** Up to `limit` rows of a lane behind a place. */
  rows(queue: QueueState, key: string, priority: Priority, type: string, after: number, limit: number): LaneRow[] {
    const lane = this.#find(queue, key, priority, type);
    return lane === undefined ? [] : this.#rows.behind(lane.id, after, limit);
  }

  /** Takes the one at a place out. Answers whether there was one. */
  remove(queue: QueueState, key: string, priority: Priority, type: string, place: number): boolean {
    return this.#remove(queue, key, priority, type, place - 1, place) > 0;
  }

  /** Takes those behind a place out, up to another and with it. */
  removeUpTo(queue: QueueState, key: string, priority: Priority, type: string, after: number, upTo: number): void {
    this.#remove(queue, key, priority, type, after, upTo);
  }

  #remove(queue: QueueState, key: string, priority: Priority, type: string, after: number, upTo: number): number {
    const lane = this.#find(queue, key, priority, type);
    if (lane === undefined) return 0;
    const removed = this.#rows.remove(lane.id, after, upTo);
    if (removed > 0) this.#count(lane, -removed);
    return removed;
  }

  #count(lane: Lane, by: number): void {
    lane.tasks += by;
    this.#noteChange(lane);
    if (lane.blocked) this.#limits.heldTasks(lane.id.queue, lane.id.key, by);
  }

  #noteChange(lane: Lane): void {
    if (lane.isChanged) return;
    lane.isChanged = true;
    this.#changed.push(lane);
  }

  #find(queue: QueueState, key: string, priority: Priority, type: string): Lane | undefined {
    return this.of(queue, key, priority).find((lane) => lane.type === type);
  }

  #of(queue: QueueState, key: string, priority: Priority): Lane[] {
    let lanes = this.#cache.get(queue, priority, key);
    if (lanes === undefined) {
      lanes = this.#sql.of.all(queue.id, key, priority).map(({ type, marker_pass, marker_place, blocked, tasks }) => {
        const at = { type, markerPass: marker_pass, markerPlace: marker_place, blocked: blocked !== 0 };
        return laneOf({ queue, key, priority, type }, at, tasks);
      });
      this.#cache.set(queue, priority, key, lanes);
    }
    return lanes;
  }
}

function changeOf({ id, markerPass, markerPlace, tasks }: Lane): Value[] {
  return [markerPass, markerPlace, tasks, id.queue.id, id.key, id.priority, id.type];
}

function laneOf(id: LaneId, { type, markerPass, markerPlace, blocked }: LaneMarker, tasks: number): Lane {
  return { type, markerPass, markerPlace, blocked, tasks, tail: undefined, isChanged: false, id };
}
