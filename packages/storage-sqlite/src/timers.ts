import type Database from "better-sqlite3";
import { steady } from "./steady.ts";
import type { Writes } from "./journal/writes.ts";
import { Soonest } from "./soonest.ts";

/**
 * What a timer does when its time has come: "ready" ends a delay or back-off, "start" a schedule-to-start, "close" a
 * schedule-to-close, "resume" the pause of a queue (its number is the queue's).
 */
export type TimerKind = "ready" | "start" | "close" | "resume";

/** What happens by time to tasks that wait, and to paused queues. */
export class Timers {
  readonly #soonest = new Map<TimerKind, Soonest>();
  readonly #sql;

  constructor(db: Database.Database, writes: Writes) {
    this.#sql = {
      set: writes.prepare("insert into timer values(?, ?, ?)"),
      clear: writes.prepare("delete from timer where kind = ? and at = ? and seq = ?"),
      due: db.prepare<[TimerKind, number, number], { at: number; seq: number }>(
        steady("select at, seq from timer where kind = ? and at <= ? order by at, seq limit ?"),
      ),
      next: db.prepare<[TimerKind], number>(steady("select at from timer where kind = ? order by at limit 1")).pluck(),
    };
  }

  /** Forgets what is in memory: the transaction failed. */
  reset(): void {
    for (const soonest of this.#soonest.values()) soonest.forget();
  }

  set(kind: TimerKind, at: number, seq: number): void {
    this.#of(kind).added(at);
    this.#sql.set.run(kind, at, seq);
  }

  clear(kind: TimerKind, at: number, seq: number): void {
    this.#of(kind).removed(at);
    this.#sql.clear.run(kind, at, seq);
  }

  /** Up to `limit` that are due, in order of when. */
  due(kind: TimerKind, now: number, limit: number): { readonly at: number; readonly seq: number }[] {
    return this.#sql.due.all(kind, now, limit);
  }

  /** When the next of a kind is due. */
  next(kind: TimerKind): number | undefined {
    return this.#of(kind).get();
  }

  #of(kind: TimerKind): Soonest {
    let soonest = this.#soonest.get(kind);
    if (soonest === undefined) {
      soonest = new Soonest(() => this.#sql.next.get(kind));
      this.#soonest.set(kind, soonest);
    }
    return soonest;
  }
}
