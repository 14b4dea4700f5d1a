import type { Database } from "better-sqlite3";
import type { BareTask } from "./messages.ts";

/** Whoever takes tasks as they come. */
export interface Taker {
  /** How many it takes now. */
  room: number;
  /** Sends it what was handed out, once it is on disk as started. */
  readonly send: (tasks: readonly BareTask[]) => void;
}

/** What is handed out by a commit, and to whom. */
export interface Handout {
  readonly taker: Taker;
  readonly tasks: readonly BareTask[];
}

/** A queue of the prototype: a table of its own, in the order in which tasks came. Nothing of it is found again after a restart. */
export class BareQueue {
  readonly #sql;
  /** The last number that was given to a task, and the last one that was handed out. */
  #added = 0;
  #taken = 0;
  readonly #takers = new Set<Taker>();

  /** @param number which of the queues it is; names its table */
  constructor(db: Database, number: number) {
    const table = `task_${number}`;
    db.exec(`create table ${table}(id integer primary key, payload blob not null, started integer not null)`);
    this.#sql = {
      add: db.prepare<[number, Buffer]>(`insert into ${table} values(?, ?, 0)`),
      read: db.prepare<[number, number], BareTask>(`select id, payload from ${table} where id > ? order by id limit ?`),
      start: db.prepare<[number, number]>(`update ${table} set started = 1 where id between ? and ?`),
      complete: db.prepare<[number]>(`delete from ${table} where id = ?`),
    };
  }

  add(payloads: readonly Buffer[]): void {
    for (const payload of payloads) this.#sql.add.run(++this.#added, payload);
  }

  complete(ids: readonly number[]): void {
    for (const id of ids) this.#sql.complete.run(id);
  }

  /** From now on it gets tasks, until it {@link leaves}. */
  comes(taker: Taker): void {
    this.#takers.add(taker);
  }

  leaves(taker: Taker): void {
    this.#takers.delete(taker);
  }

  /** Hands out what is ready, and marks it as started. */
  dispatch(): Handout[] {
    const handouts: Handout[] = [];
    for (const taker of this.#takers) {
      if (this.#taken === this.#added) break;
      if (taker.room === 0) continue;
      const tasks = this.#sql.read.all(this.#taken, taker.room);
      const last = this.#taken + tasks.length;
      this.#sql.start.run(this.#taken + 1, last);
      this.#taken = last;
      taker.room -= tasks.length;
      handouts.push({ taker, tasks });
    }
    return handouts;
  }
}
