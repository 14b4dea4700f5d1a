import type Database from "better-sqlite3";
import type { Priority } from "@tq/matching-core";
import type { QueueState } from "../queues.ts";
import { steady } from "../steady.ts";
import { mostLate } from "./late.ts";
import type { Value } from "../journal/encoding.ts";
import type { Writes } from "../journal/writes.ts";

/** A task in a lane. */
export interface LaneRow {
  readonly place: number;
  readonly seq: number;
  readonly weight: number;
  readonly since: number;
}

/** Which lane. As long as a lane is held in memory, it is the same object that stands for it. */
export interface LaneId {
  readonly queue: QueueState;
  readonly key: string;
  readonly priority: Priority;
  readonly type: string;
}

/**
 * A row of the table: tasks that were added together, each a step behind the one before. A task that was placed as it was
 * added has its number as its place; only of such ones a run has more than one.
 */
export interface Run extends LaneRow {
  /** Place of its last task: `place` is that of its first. */
  last: number;
  count: number;
  isWritten: boolean;
}

/** How many runs are held in memory, of all lanes: beyond, all are let go of and read again as needed. */
const maxHeldRuns = 8_192;

/** What is in the lanes: runs of tasks, which never overlap. So a key's backlog costs next to nothing a task. */
export class LaneRows {
  /** Those that the transaction put in and that are not written yet, each behind all others of its lane. */
  readonly #unwritten: { readonly lane: LaneId; readonly run: Run }[] = [];
  /**
   * The first runs of lanes that were read lately: all that the file has up to the last of them. What stands first is taken
   * next, a part of a run at a time.
   */
  readonly #heads = new Map<LaneId, Run[]>();
  #heldRuns = 0;
  /** The run of a lane of which the journal alone has how much is left: the file has its last task, and more in front. */
  readonly #late = new Map<LaneId, Run>();
  readonly #mostHeld: number;
  readonly #sql;

  /** @param mostHeld so many runs are held in memory; less, where a test is to see the end of it */
  constructor(db: Database.Database, writes: Writes, mostHeld = maxHeldRuns) {
    this.#mostHeld = mostHeld;
    this.#sql = {
      insert: writes.prepare("insert into lane_row values(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"),
      behind: db
        .prepare<[number, string, number, string, number], RunColumns>(
          steady(`select last, place, count, seq, weight, since from lane_row
           where queue = ? and key = ? and priority = ? and type = ? and last > ? order by last`),
        )
        .raw(),
      delete: writes.prepare(
        "delete from lane_row where queue = ? and key = ? and priority = ? and type = ? and last > ? and last <= ?",
      ),
      shorten: writes.prepare(
        `update lane_row set place = ?, count = ?, seq = ?
         where queue = ? and key = ? and priority = ? and type = ? and last = ?`,
      ),
    };
  }

  /** Forgets what is in memory: the transaction failed. */
  reset(): void {
    this.#unwritten.length = 0;
    this.#late.clear();
    this.letGo();
  }

  /** Writes what the journal alone has. */
  settle(): void {
    for (const [lane, run] of this.#late) this.#sql.shorten.settle(...shortened(lane, run));
    this.#late.clear();
  }

  /** How many runs are held in memory. */
  get held(): number {
    return this.#heldRuns;
  }

  /** Holds nothing any more of what is in the file. */
  letGo(): void {
    this.#heads.clear();
    this.#heldRuns = 0;
  }

  /** Writes what the transaction put in. Before anything is read or taken out that may be of it, and at its end. */
  flush(): void {
    for (const { lane, run } of this.#unwritten) {
      this.#insert(lane, run);
      run.isWritten = true;
    }
    this.#unwritten.length = 0;
  }

  /**
   * Puts a task in behind all others.
   *
   * @param tail the last run of the lane, if the transaction put it in: it may be continued
   * @returns the run that it is in now
   */
  push(lane: LaneId, row: LaneRow, tail: Run | undefined): Run {
    const { place, seq, weight, since } = row;
    if (tail !== undefined && !tail.isWritten && place === seq && continues(tail, row)) {
      tail.last = place;
      tail.count += 1;
      return tail;
    }
    const run = { place, seq, weight, since, last: place, count: 1, isWritten: false };
    this.#unwritten.push({ lane, run });
    return run;
  }

  /** Puts a task in, wherever its place is. */
  putInto(lane: LaneId, row: LaneRow): void {
    this.push(lane, row, undefined);
    this.#hold(lane, []);
  }

  /** Up to `limit` tasks behind a place, in order. */
  behind(lane: LaneId, place: number, limit: number): LaneRow[] {
    const rows: LaneRow[] = [];
    const head = this.#headOf(lane);
    for (const run of head) if (run.last > place) addRows(rows, run, place, limit);
    if (rows.length === limit) return rows;
    const upTo = head.at(-1)?.last ?? 0;
    const read: Run[] = [];
    for (const run of this.#runs(lane, Math.max(place, upTo))) {
      read.push(run);
      addRows(rows, run, place, limit);
      if (rows.length === limit) break;
    }
    // What was read goes on where the head ends.
    if (place <= upTo && read.length > 0) this.#hold(lane, [...head, ...read]);
    return rows;
  }

  /** Takes the tasks out that stand behind a place, up to another and with it. Answers how many. */
  remove(lane: LaneId, after: number, upTo: number): number {
    // Nothing was taken behind what a claim passed over.
    if (upTo <= after) return 0;
    const head = this.#headOf(lane);
    const isInHead = (head.at(-1)?.last ?? 0) >= upTo;
    let removed = 0;
    let whole = false;
    const parts: Run[] = [];
    const left: Run[] = [];
    for (const run of isInHead ? head : this.#readBetween(lane, after, upTo)) {
      // How many of its tasks stay before those that go, and how many go with them.
      const before = countUpTo(run, after);
      const through = countUpTo(run, upTo);
      removed += through - before;
      if (before === through) {
        left.push(run);
        continue;
      }
      if (before > 0) {
        const first = part(run, 0, before);
        parts.push(first);
        left.push(first);
      }
      if (through < run.count) {
        const rest = part(run, through, run.count);
        this.#shorten(lane, rest);
        left.push(rest);
      }
      // Its last task goes, and its row is named after it.
      else whole = true;
    }
    if (whole) {
      const late = this.#late.get(lane);
      if (late !== undefined && late.last > after && late.last <= upTo) this.#late.delete(lane);
      this.#sql.delete.run(lane.queue.id, lane.key, lane.priority, lane.type, after, upTo);
    }
    for (const run of parts) this.#insert(lane, run);
    this.#hold(lane, isInHead ? left : []);
    return removed;
  }

  /** Those that have tasks behind a place, up to another. Read before anything is written: they are read one by one. */
  #readBetween(lane: LaneId, after: number, upTo: number): Run[] {
    const runs: Run[] = [];
    for (const run of this.#runs(lane, after)) {
      if (run.place > upTo) break;
      runs.push(run);
    }
    return runs;
  }

  /** The runs that reach behind a place. */
  *#runs(lane: LaneId, place: number): Iterable<Run> {
    const { queue, key, priority, type } = lane;
    this.flush();
    const late = this.#late.get(lane);
    for (const row of this.#sql.behind.iterate(queue.id, key, priority, type, place)) {
      const [last, first, count, seq, weight, since] = row;
      if (last === late?.last) yield late;
      else yield { place: first, seq, weight, since, last, count, isWritten: true };
    }
  }

  #headOf(lane: LaneId): readonly Run[] {
    return this.#heads.get(lane) ?? [];
  }

  /** Remembers the first runs of a lane; none of them: forgets them. */
  #hold(lane: LaneId, head: Run[]): void {
    this.#heldRuns += head.length - this.#headOf(lane).length;
    if (head.length === 0) this.#heads.delete(lane);
    else this.#heads.set(lane, head);
    if (this.#heldRuns > this.#mostHeld) this.letGo();
  }

  #insert({ queue, key, priority, type }: LaneId, { last, place, count, seq, weight, since }: Run): void {
    this.#sql.insert.run(queue.id, key, priority, type, last, place, count, seq, weight, since);
  }

  #shorten(lane: LaneId, run: Run): void {
    const late = this.#late.get(lane);
    if (late === undefined ? this.#late.size >= mostLate : late.last !== run.last) {
      this.#sql.shorten.run(...shortened(lane, run));
      return;
    }
    this.#late.set(lane, run);
    this.#sql.shorten.promise(...shortened(lane, run));
  }
}

function shortened({ queue, key, priority, type }: LaneId, { place, count, seq, last }: Run): Value[] {
  return [place, count, seq, queue.id, key, priority, type, last];
}

type RunColumns = [last: number, place: number, count: number, seq: number, weight: number, since: number];

/** Adds the tasks of a run that stand behind a place, up to so many rows in all. */
function addRows(rows: LaneRow[], run: Run, place: number, limit: number): void {
  const { weight, since } = run;
  for (let i = countUpTo(run, place); i < run.count && rows.length < limit; i++) {
    rows.push({ place: placeAt(run, i), seq: seqAt(run, i), weight, since });
  }
}

/** Whether a task that was placed as it was added goes on with a run. */
function continues(run: Run, { place, weight, since }: LaneRow): boolean {
  if (run.place !== run.seq || run.weight !== weight || run.since !== since) return false;
  return run.count === 1 ? place > run.last : place - run.last === stepOf(run);
}

function stepOf({ place, last, count }: Run): number {
  return count === 1 ? 0 : (last - place) / (count - 1);
}

function placeAt(run: Run, i: number): number {
  return run.place + i * stepOf(run);
}

function seqAt(run: Run, i: number): number {
  return run.seq + i * stepOf(run);
}

/** How many of its tasks stand at a place or before it. */
function countUpTo(run: Run, place: number): number {
  if (place < run.place) return 0;
  if (place >= run.last) return run.count;
  return Math.floor((place - run.place) / stepOf(run)) + 1;
}

/** The run of its tasks from one index to below another. */
function part(run: Run, from: number, to: number): Run {
  return { ...run, place: placeAt(run, from), seq: seqAt(run, from), last: placeAt(run, to - 1), count: to - from };
}
