/*
 * A claim: the next tasks of a queue, of some types, in dispatch order. Priorities are strict, so each is a merge of its
 * own: the heads of every type that has something placed, by (pass, place), with markers that move as their keys are
 * served.
 */
import { placePass, priorities, stride, type Priority, type TypeSet } from "@tq/matching-core";
import type { QueueState } from "../queues.ts";
import { PlaceHeap } from "./entries.ts";
import type { FrontRow } from "./front.ts";
import type { LaneRow } from "./lanes.ts";
import type { Order, Placeable } from "./order.ts";

/** A task at the head, which the taker may take or leave. */
export interface Candidate extends Placeable {
  readonly pass: number;
  readonly place: number;
}

/**
 * Takes a task, or answers false: then the claim ends, and the task stays where it is.
 */
export type Take = (task: Candidate) => boolean;

/** How many rows of the front are read at once, at least and at most. */
const readAhead = { min: 16, max: 512 };
/** How many rows of a lane are read first. Doubled each time: with many heavy keys each is served once or twice a claim. */
const firstLaneRows = 4;

interface Entry {
  pass: number;
  place: number;
  readonly type: string;
  readonly row: FrontRow;
  /** Where to read on once this row is done with; undefined for a marker that has moved. */
  cursor: Cursor | undefined;
}

/** Reads one type's rows of the front, in order. */
interface Cursor {
  readonly type: string;
  rows: FrontRow[];
  next: number;
  more: boolean;
}

/** Reads one lane's rows, in order. */
interface LaneCursor {
  readonly type: string;
  rows: LaneRow[];
  next: number;
  /** How many rows to read next; 0 at the end of the lane. */
  chunk: number;
}

/**
 * Offers the queue's next tasks, one by one, to `take`.
 *
 * @param wanted about how many will be taken: how far to read ahead
 * @param placed how many tasks of a type and priority are placed, so that nothing is read where there is nothing
 * @returns whether the queue has nothing more for these types
 */
export function claim(
  order: Order,
  queue: QueueState,
  types: TypeSet,
  wanted: number,
  placed: (type: string, priority: Priority) => number,
  take: Take,
): boolean {
  for (const priority of priorities) {
    const present = [...(types ?? queue.counts.keys())].filter((type) => placed(type, priority) > 0);
    if (present.length === 0) continue;
    const merge = new Merge(order, queue, priority, present, wanted, take);
    const dry = merge.run();
    merge.finish();
    if (!dry) return false;
  }
  return true;
}

/** One priority of a claim. */
class Merge {
  readonly #order: Order;
  readonly #queue: QueueState;
  readonly #priority: Priority;
  readonly #types: ReadonlySet<string>;
  readonly #chunk: number;
  readonly #take: Take;
  readonly #heap = new PlaceHeap<Entry>();
  /** Markers that were met, by key and type: where they have moved to. */
  readonly #moved = new Map<string, Entry>();
  /** Lanes that were taken from, by key and type. */
  readonly #laneCursors = new Map<string, LaneCursor>();
  readonly #served = new Map<string, { readonly key: string; readonly type: string }>();

  constructor(
    order: Order,
    queue: QueueState,
    priority: Priority,
    types: readonly string[],
    wanted: number,
    take: Take,
  ) {
    this.#order = order;
    this.#queue = queue;
    this.#priority = priority;
    this.#types = new Set(types);
    this.#chunk = Math.min(Math.max(Math.ceil((1.5 * wanted) / types.length), readAhead.min), readAhead.max);
    this.#take = take;
  }

  /** Takes as long as there is something and it is taken. Answers whether there is nothing more. */
  run(): boolean {
    for (const type of this.#types) this.#advance({ type, rows: [], next: 0, more: true });
    for (let entry = this.#heap.top; entry !== undefined; entry = this.#heap.top) {
      if (!(entry.row.marker ? this.#serveMarker(entry) : this.#serveTask(entry))) return false;
    }
    return true;
  }

  /** Writes each marker that was met, once, and closes the lanes that are empty. */
  finish(): void {
    for (const [id, entry] of this.#moved) {
      this.#order.settleLane(this.#queue, entry.row.key, this.#priority, entry.type, entry.pass);
      this.#served.delete(id);
    }
    // Lanes that another lane's marker took from.
    for (const { key, type } of this.#served.values()) {
      this.#order.settleLane(this.#queue, key, this.#priority, type);
    }
  }

  #serveTask(entry: Entry): boolean {
    const { row, type, cursor } = entry;
    const { seq, key, weight, since, pass, place } = row;
    if (!this.#take({ seq, type, priority: this.#priority, key, weight, since, pass, place })) return false;
    this.#order.front.delete(this.#queue, this.#priority, type, row);
    this.#virtualTimeReached(pass);
    this.#heap.pop();
    if (cursor !== undefined) this.#advance(cursor);
    return true;
  }

  #serveMarker(entry: Entry): boolean {
    const { key } = entry.row;
    const id = laneId(key, entry.type);
    if (entry.cursor !== undefined) {
      // From now on the marker moves by itself; the rows behind it go on.
      this.#heap.pop();
      this.#advance(entry.cursor);
      entry.cursor = undefined;
      // What nobody could take for a while goes on at the present: it is owed nothing.
      entry.pass = placePass(this.#queue.virtualTimes[this.#priority] ?? 0, entry.pass);
      this.#moved.set(id, entry);
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
    const task = {
      seq: row.seq,
      type: cursor.type,
      priority: this.#priority,
      key,
      weight: row.weight,
      since: row.since,
    };
    if (!this.#take({ ...task, pass: entry.pass, place: row.place })) return false;
    cursor.next += 1;
    this.#order.lanes.remove(this.#queue, key, this.#priority, cursor.type, row.place);
    this.#served.set(laneId(key, cursor.type), { key, type: cursor.type });
    this.#virtualTimeReached(entry.pass);
    const next = entry.pass + stride(row.weight);
    this.#order.passes.set(this.#queue, this.#priority, key, next);
    entry.pass = next;
    this.#heap.topMoved();
    return true;
  }

  /** The key's first task over its lanes of the types that are asked for. */
  #laneHead(key: string): { readonly row: LaneRow; readonly cursor: LaneCursor } | undefined {
    let first: { readonly row: LaneRow; readonly cursor: LaneCursor } | undefined;
    for (const { type, blocked } of this.#order.lanes.of(this.#queue, key, this.#priority)) {
      if (blocked || !this.#types.has(type)) continue;
      const cursor = this.#laneCursor(key, type);
      const row = cursor.rows[cursor.next];
      if (row !== undefined && (first === undefined || row.place < first.row.place)) first = { row, cursor };
    }
    return first;
  }

  #laneCursor(key: string, type: string): LaneCursor {
    const id = laneId(key, type);
    let cursor = this.#laneCursors.get(id);
    if (cursor === undefined) this.#laneCursors.set(id, (cursor = { type, rows: [], next: 0, chunk: firstLaneRows }));
    if (cursor.next === cursor.rows.length && cursor.chunk > 0) {
      const after = cursor.rows.at(-1)?.place ?? 0;
      cursor.rows = this.#order.lanes.rows(this.#queue, key, this.#priority, type, after, cursor.chunk);
      cursor.next = 0;
      cursor.chunk = cursor.rows.length < cursor.chunk ? 0 : Math.min(cursor.chunk * 2, readAhead.max);
    }
    return cursor;
  }

  /** Puts the cursor's next row into the heap. */
  #advance(cursor: Cursor): void {
    if (cursor.next === cursor.rows.length && cursor.more) {
      const after = cursor.rows.at(-1) ?? { pass: -1, place: -1 };
      cursor.rows = this.#order.front.after(this.#queue, this.#priority, cursor.type, after, this.#chunk);
      cursor.next = 0;
      cursor.more = cursor.rows.length === this.#chunk;
    }
    const row = cursor.rows[cursor.next++];
    if (row !== undefined) this.#heap.push({ pass: row.pass, place: row.place, type: cursor.type, row, cursor });
  }

  #virtualTimeReached(pass: number): void {
    if (pass <= (this.#queue.virtualTimes[this.#priority] ?? 0)) return;
    this.#queue.virtualTimes[this.#priority] = pass;
    this.#queue.rowChanged = true;
  }
}

function laneId(key: string, type: string): string {
  return `${key}\u0000${type}`;
}
