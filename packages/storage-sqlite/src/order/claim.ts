/*
 * A claim: the next tasks of a queue, of some types, in dispatch order. Priorities are strict, so each is a merge of its
 * own: the heads of every type that has something placed, by (pass, place), with markers that move as their keys are
 * served.
 */
import { placePass, priorities, stride, type Place, type Priority, type TypeSet } from "@tq/matching-core";
import { weightOf, type HoldBack } from "../key-limits.ts";
import type { QueueState } from "../queues.ts";
import { PlaceHeap } from "./entries.ts";
import type { FrontRow } from "./front.ts";
import type { LaneRow } from "./lane-rows.ts";
import type { Order, Placeable } from "./order.ts";

/** A task at the head, which the taker may take or leave. */
export interface Candidate extends Placeable {
  readonly pass: number;
  readonly place: number;
}

/** What became of a task at the head. */
export type Taken =
  | "taken"
  /** It stays where it is, and the claim goes on behind it. */
  | "skipped"
  /** It stays where it is, and the claim ends. */
  | "ended";

/** How many tasks of a type and priority are placed. */
export type Placed = (type: string, priority: Priority) => number;

/** Takes a task, or not. */
export type Take = (task: Candidate) => Taken;

/** Says which fairness keys may not be dispatched now. */
export interface KeyGate {
  /** Why this key may not; undefined: it may. */
  readonly closed: (key: string) => HoldBack | undefined;
  readonly now: number;
}

/** How many rows of the front are read at once, at least and at most. */
const readAhead = { min: 16, max: 512 };
/** How many rows of a lane are read at once, at least: with many heavy keys each is served once or twice a claim. */
const fewestLaneRows = 2;

interface Entry {
  pass: number;
  place: number;
  readonly type: string;
  readonly row: FrontRow;
  /** Where to read on once this row is done with; undefined for a marker that has moved. */
  cursor: Cursor | undefined;
}

/** Reads one type's rows of the front, in order. What is taken is deleted in one go: everything between two places. */
interface Cursor {
  readonly type: string;
  rows: FrontRow[];
  next: number;
  more: boolean;
  /** Behind it, up to the last taken one, all tasks are to be deleted. */
  keptTo: Place;
  lastTaken: Place | undefined;
}

/** Reads one lane's rows, in order; deletes like a cursor of the front. */
interface LaneCursor {
  readonly key: string;
  readonly type: string;
  rows: LaneRow[];
  next: number;
  /** How many rows to read next; 0 at the end of the lane. */
  chunk: number;
  keptTo: number;
  lastTaken: number | undefined;
}

const beforeAll: Place = { pass: -1, place: -1 };

/**
 * Offers the queue's next tasks, one by one, to `take`.
 *
 * @param types without repetition: a task of one that came twice would be taken twice
 * @param wanted about how many will be taken: how far to read ahead
 * @param placed how many tasks of a type and priority are placed, so that nothing is read where there is nothing
 * @param gate undefined: no key of the queue has limits
 * @returns whether the queue has nothing more for these types
 */
export function claim(
  order: Order,
  queue: QueueState,
  types: TypeSet,
  wanted: number,
  placed: Placed,
  take: Take,
  gate: KeyGate | undefined,
): boolean {
  // Mostly: a poll that comes again after the last task.
  if (queue.ready === 0) return true;
  for (const priority of priorities) {
    const present = presentOf(types ?? queue.counts.keys(), priority, placed);
    if (present === undefined) continue;
    const merge = new Merge(order, queue, priority, present, wanted, placed, take, gate);
    const dry = merge.run();
    merge.finish();
    if (!dry) return false;
  }
  return true;
}

/** Those of some types that have something placed at a priority; undefined: none has. */
function presentOf(types: Iterable<string>, priority: Priority, placed: Placed): string[] | undefined {
  let present: string[] | undefined;
  for (const type of types) {
    if (placed(type, priority) === 0) continue;
    present ??= [];
    present.push(type);
  }
  return present;
}

/** One priority of a claim. Most of them meet no lane: what is kept of lanes is made for the first. */
class Merge {
  readonly #order: Order;
  readonly #queue: QueueState;
  readonly #priority: Priority;
  readonly #types: readonly string[];
  readonly #chunk: number;
  readonly #placed: Placed;
  readonly #take: Take;
  readonly #gate: KeyGate | undefined;
  readonly #heap = new PlaceHeap<Entry>();
  readonly #cursors: Cursor[] = [];
  /** How many are still to be taken, about. */
  #wanted: number;
  /** The types, for whoever asks for one. */
  #typeSet: ReadonlySet<string> | undefined;
  /** Markers that were met, by key and type: where they have moved to. */
  #moved: Map<string, Entry> | undefined;
  /** Lanes that were taken from, by key and type. */
  #laneCursors: Map<string, LaneCursor> | undefined;
  /** The one that was asked for last: mostly it is the next, too. */
  #lastLane: LaneCursor | undefined;

  constructor(
    order: Order,
    queue: QueueState,
    priority: Priority,
    types: readonly string[],
    wanted: number,
    placed: Placed,
    take: Take,
    gate: KeyGate | undefined,
  ) {
    this.#placed = placed;
    this.#order = order;
    this.#queue = queue;
    this.#priority = priority;
    this.#types = types;
    this.#chunk = Math.min(Math.max(Math.ceil((1.5 * wanted) / types.length), readAhead.min), readAhead.max);
    this.#wanted = wanted;
    this.#take = take;
    this.#gate = gate;
  }

  /** Takes as long as there is something and it is taken. Answers whether there is nothing more. */
  run(): boolean {
    for (const type of this.#types) {
      const cursor = { type, rows: [], next: 0, more: true, keptTo: beforeAll, lastTaken: undefined };
      this.#cursors.push(cursor);
      this.#advance(cursor);
    }
    for (let entry = this.#heap.top; entry !== undefined; entry = this.#heap.top) {
      if (!(entry.row.marker ? this.#serveMarker(entry) : this.#serveTask(entry))) return false;
    }
    return true;
  }

  /** Deletes what was taken, writes each marker that was met, once, and closes the lanes that are empty. */
  finish(): void {
    for (const cursor of this.#cursors) this.#deleteTaken(cursor);
    if (this.#moved !== undefined || this.#laneCursors !== undefined) this.#finishLanes();
  }

  #finishLanes(): void {
    for (const cursor of this.#laneCursors?.values() ?? []) this.#deleteTakenOfLane(cursor);
    for (const [id, entry] of this.#moved ?? []) {
      const { key } = entry.row;
      this.#order.settleLane(this.#queue, key, this.#priority, entry.type, entry.pass, this.#headOf(id));
    }
    // Lanes that another lane's marker took from.
    for (const [id, { key, type, lastTaken }] of this.#laneCursors ?? []) {
      if (lastTaken === undefined || this.#moved?.has(id) === true) continue;
      this.#order.settleLane(this.#queue, key, this.#priority, type, undefined, this.#headOf(id));
    }
  }

  /** The first row that is left in a lane, if it was read; undefined: not known. */
  #headOf(id: string): LaneRow | undefined {
    const cursor = this.#laneCursors?.get(id);
    // What was passed over stands before what is next.
    return cursor === undefined || cursor.keptTo > 0 ? undefined : cursor.rows[cursor.next];
  }

  #deleteTaken(cursor: Cursor): void {
    const { type, keptTo, lastTaken } = cursor;
    if (lastTaken !== undefined) {
      this.#order.front.deleteTasks(this.#queue, this.#priority, type, keptTo, lastTaken);
    }
    cursor.lastTaken = undefined;
  }

  #deleteTakenOfLane(cursor: LaneCursor): void {
    const { key, type, keptTo, lastTaken } = cursor;
    if (lastTaken !== undefined) {
      this.#order.lanes.removeUpTo(this.#queue, key, this.#priority, type, keptTo, lastTaken);
    }
  }

  #serveTask(entry: Entry): boolean {
    const { row, type, cursor } = entry;
    const { seq, key, weight, since, pass, place } = row;
    if (this.#isClosed(key) || this.#hasEarlierInLane(row)) {
      this.#order.moveToLane(this.#queue, this.#priority, type, row);
      this.#readAnew(key, type);
    } else {
      const taken = this.#take({ seq, type, priority: this.#priority, key, weight, since, pass, place });
      if (taken === "ended") return false;
      if (taken === "taken") {
        this.#wanted -= 1;
        this.#virtualTimeReached(pass);
        if (cursor !== undefined) cursor.lastTaken = row;
      } else if (cursor !== undefined) {
        this.#deleteTaken(cursor);
        cursor.keptTo = row;
      }
    }
    this.#heap.pop();
    if (cursor !== undefined) this.#advance(cursor);
    return true;
  }

  /** Whether a key may not be dispatched now; if so, sees to it that it is held back. */
  #isClosed(key: string): boolean {
    if (this.#gate === undefined) return false;
    if (this.#order.limits.heldBack(this.#queue, key) !== undefined) return true;
    const closed = this.#gate.closed(key);
    if (closed === undefined) return false;
    this.#order.holdBack(this.#queue, key, closed, this.#gate.now);
    return true;
  }

  /** Whether an earlier task of its key stands in a lane: it was moved there while the key was held back. */
  #hasEarlierInLane({ key, place }: FrontRow): boolean {
    if (this.#order.lanes.of(this.#queue, key, this.#priority).length === 0) return false;
    const head = this.#laneHead(key);
    return head !== undefined && head.row.place < place;
  }

  #serveMarker(entry: Entry): boolean {
    const { key } = entry.row;
    if (this.#isClosed(key)) {
      this.#heap.pop();
      if (entry.cursor !== undefined) this.#advance(entry.cursor);
      return true;
    }
    if (entry.cursor !== undefined) {
      // From now on the marker moves by itself; the rows behind it go on.
      this.#heap.pop();
      this.#advance(entry.cursor);
      entry.cursor = undefined;
      // What nobody could take for a while goes on at the present: it is owed nothing.
      entry.pass = placePass(this.#queue.virtualTimes[this.#priority] ?? 0, entry.pass);
      this.#moved ??= new Map();
      this.#moved.set(laneId(key, entry.type), entry);
      this.#heap.push(entry);
      return true;
    }
    // The key was served through another of its lanes since this marker was written.
    const pass = this.#order.passes.get(this.#queue, this.#priority, key);
    if (entry.pass < pass) {
      entry.pass = pass;
      this.#heap.topMoved();
      return true;
    }
    const head = this.#laneHead(key);
    if (head === undefined) {
      this.#heap.pop();
      return true;
    }
    const { row, cursor } = head;
    const taken = this.#take({
      seq: row.seq,
      type: cursor.type,
      priority: this.#priority,
      key,
      weight: row.weight,
      since: row.since,
      pass: entry.pass,
      place: row.place,
    });
    if (taken === "ended") return false;
    cursor.next += 1;
    if (taken === "skipped") {
      this.#deleteTakenOfLane(cursor);
      cursor.keptTo = row.place;
      return true;
    }
    cursor.lastTaken = row.place;
    this.#wanted -= 1;
    this.#virtualTimeReached(entry.pass);
    const next = entry.pass + stride(weightOf(this.#queue, key) ?? row.weight);
    this.#order.passes.set(this.#queue, this.#priority, key, next);
    entry.pass = next;
    this.#heap.topMoved();
    return true;
  }

  /** The key's first task over its lanes of the types that are asked for. */
  #laneHead(key: string): { readonly row: LaneRow; readonly cursor: LaneCursor } | undefined {
    let first: { readonly row: LaneRow; readonly cursor: LaneCursor } | undefined;
    for (const { type, blocked } of this.#order.lanes.of(this.#queue, key, this.#priority)) {
      if (blocked || !this.#isAskedFor(type)) continue;
      const cursor = this.#laneCursor(key, type);
      const row = cursor.rows[cursor.next];
      if (row !== undefined && (first === undefined || row.place < first.row.place)) first = { row, cursor };
    }
    return first;
  }

  #isAskedFor(type: string): boolean {
    this.#typeSet ??= new Set(this.#types);
    return this.#typeSet.has(type);
  }

  #laneCursor(key: string, type: string): LaneCursor {
    const last = this.#lastLane;
    const isLast = last !== undefined && last.key === key && last.type === type;
    let cursor = isLast ? last : this.#laneCursors?.get(laneId(key, type));
    if (cursor === undefined) {
      // Its share of what is wanted, and the one behind it: where its marker will stand.
      const share = Math.ceil(this.#wanted / Math.max(this.#queue.lanes, 1)) + 1;
      const chunk = Math.min(Math.max(share, fewestLaneRows), readAhead.max);
      cursor = { key, type, rows: [], next: 0, chunk, keptTo: 0, lastTaken: undefined };
      this.#laneCursors ??= new Map();
      this.#laneCursors.set(laneId(key, type), cursor);
    }
    this.#lastLane = cursor;
    if (cursor.next === cursor.rows.length && cursor.chunk > 0) {
      const after = cursor.rows.at(-1)?.place ?? cursor.lastTaken ?? 0;
      cursor.rows = this.#order.lanes.rows(this.#queue, key, this.#priority, type, after, cursor.chunk);
      cursor.next = 0;
      cursor.chunk = cursor.rows.length < cursor.chunk ? 0 : Math.min(cursor.chunk * 2, readAhead.max);
    }
    return cursor;
  }

  /** A task was put into a lane: what was read ahead of it may lack it. */
  #readAnew(key: string, type: string): void {
    const cursor = this.#laneCursors?.get(laneId(key, type));
    if (cursor === undefined) return;
    this.#deleteTakenOfLane(cursor);
    cursor.rows = [];
    cursor.next = 0;
    cursor.chunk = fewestLaneRows;
    cursor.keptTo = 0;
    cursor.lastTaken = undefined;
  }

  /** Puts the cursor's next row into the heap. */
  #advance(cursor: Cursor): void {
    if (cursor.next === cursor.rows.length && cursor.more) {
      const last = cursor.rows.at(-1);
      const [queue, priority, { type }] = [this.#queue, this.#priority, cursor];
      // Once something was read, what was taken of it stands there, though it is placed no more.
      const placed = last === undefined ? this.#placed(type, priority) : Infinity;
      cursor.rows = this.#order.front.after(queue, priority, type, last ?? beforeAll, this.#chunk, placed);
      cursor.next = 0;
      cursor.more = cursor.rows.length === this.#chunk;
    }
    const row = cursor.rows[cursor.next++];
    if (row !== undefined) this.#heap.push({ pass: row.pass, place: row.place, type: cursor.type, row, cursor });
  }

  #virtualTimeReached(pass: number): void {
    if (pass <= (this.#queue.virtualTimes[this.#priority] ?? 0)) return;
    this.#queue.virtualTimes[this.#priority] = pass;
    this.#queue.virtualTimesChanged = true;
    this.#order.passes.virtualTimeMoved(this.#queue);
  }
}

function laneId(key: string, type: string): string {
  return `${key}\u0000${type}`;
}
