import type Database from "better-sqlite3";
import { frame, unframe } from "./frame.ts";
import { steady } from "./steady.ts";
import type { Writes } from "./journal/writes.ts";
import { Soonest } from "./soonest.ts";

/** Tasks of one chunk that completed in one transaction, and are kept until the same time. */
export interface Closing {
  readonly id: number;
  /** Number of the chunk's first task. */
  readonly chunk: number;
  readonly closedAt: number;
  readonly keptUntil: number;
  /** How many of its tasks are still in the chunk. */
  left: number;
}

/** A task of a chunk that completed and is kept. */
export interface Completed {
  readonly closing: Closing;
  /** Lease number of the answer. */
  readonly answered: number;
  readonly outcome: Buffer | null;
}

interface Unwritten {
  readonly closing: Closing;
  /** By index. */
  readonly tasks: Map<number, Completed>;
}

interface BodyJson {
  readonly indexes: number[];
  readonly answered: number[];
}

interface Row extends Omit<Closing, "left"> {
  readonly body: Buffer;
}

/** Which tasks of chunks completed and are kept: a row for those that did so together, instead of one for each. */
export class Closings {
  /** Of the present transaction, by chunk and then by when they go. */
  #unwritten = new Map<number, Map<number, Unwritten>>();
  #emptied = new Set<Closing>();
  readonly #soonest = new Soonest(() => this.#sql.next.get());
  readonly #sql;

  constructor(db: Database.Database, writes: Writes) {
    this.#sql = {
      insert: writes.prepare("insert into closing values(?, ?, ?, ?, ?)"),
      of: db.prepare<[number], Row>(
        "select id, chunk, closed_at as closedAt, kept_until as keptUntil, body from closing where chunk = ?",
      ),
      delete: writes.prepare("delete from closing where id = ?"),
      due: db
        .prepare<[number, number], number>(
          steady("select chunk from closing where kept_until <= ? order by kept_until, id limit ?"),
        )
        .pluck(),
      next: db.prepare<[], number>("select kept_until from closing order by kept_until limit 1").pluck(),
    };
  }

  /** Forgets what is in memory: the transaction failed. */
  reset(): void {
    if (this.#unwritten.size > 0) this.#unwritten = new Map();
    if (this.#emptied.size > 0) this.#emptied = new Set();
    this.#soonest.forget();
  }

  /** What completed of a chunk that is read, by index. */
  of(chunk: number, holds: (index: number) => boolean): Map<number, Completed> {
    const completed = new Map<number, Completed>();
    for (const { body, ...row } of this.#sql.of.all(chunk)) {
      const closing = { ...row, left: 0 };
      const { value, blobs } = unframe<BodyJson>(body);
      for (const [i, index] of value.indexes.entries()) {
        if (!holds(index)) continue;
        const outcome = blobs[i];
        closing.left += 1;
        completed.set(index, {
          closing,
          answered: value.answered[i] ?? 0,
          outcome: outcome === undefined ? null : Buffer.from(outcome.buffer, outcome.byteOffset, outcome.length),
        });
      }
    }
    return completed;
  }

  /** A task of a chunk completed: it is among those that did so in this transaction. `id` is of a closing, if it is the first. */
  add(
    chunk: number,
    index: number,
    at: { readonly closedAt: number; readonly keptUntil: number },
    how: Omit<Completed, "closing">,
    id: () => number,
  ): Completed {
    let ofChunk = this.#unwritten.get(chunk);
    if (ofChunk === undefined) this.#unwritten.set(chunk, (ofChunk = new Map<number, Unwritten>()));
    let open = ofChunk.get(at.keptUntil);
    if (open === undefined) {
      open = { closing: { id: id(), chunk, ...at, left: 0 }, tasks: new Map<number, Completed>() };
      ofChunk.set(at.keptUntil, open);
    }
    const completed = { closing: open.closing, ...how };
    open.closing.left += 1;
    open.tasks.set(index, completed);
    return completed;
  }

  /** One of its tasks is in the chunk no more. */
  takeOut(closing: Closing): void {
    closing.left -= 1;
    if (closing.left === 0) this.#emptied.add(closing);
  }

  /** Chunks of up to `limit` closings whose tasks need not be kept any longer. */
  due(now: number, limit: number): number[] {
    return this.#sql.due.all(now, limit);
  }

  /** Until when the first of them are kept. */
  next(): number | undefined {
    return this.#soonest.get();
  }

  /** Writes what the transaction changed. */
  flush(): void {
    for (const ofChunk of this.#unwritten.values()) {
      for (const { closing, tasks } of ofChunk.values()) {
        if (closing.left === 0) continue;
        const { id, chunk, closedAt, keptUntil } = closing;
        const all = [...tasks.values()];
        const json: BodyJson = { indexes: [...tasks.keys()], answered: all.map(({ answered }) => answered) };
        const outcomes = all.map(({ outcome }) => outcome ?? undefined);
        this.#soonest.added(keptUntil);
        this.#sql.insert.run(id, chunk, closedAt, keptUntil, frame(json, outcomes));
      }
    }
    if (this.#unwritten.size > 0) this.#unwritten = new Map();
    // One that the transaction itself began may have been emptied and then used again.
    for (const { id, left, keptUntil } of this.#emptied) {
      if (left > 0) continue;
      this.#soonest.removed(keptUntil);
      this.#sql.delete.run(id);
    }
    if (this.#emptied.size > 0) this.#emptied = new Set();
  }
}
