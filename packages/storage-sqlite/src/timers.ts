import type Database from "better-sqlite3";

/** What a timer does when its time has come: "ready" ends a delay or back-off. */
export type TimerKind = "ready";

/** What happens to waiting tasks by time. */
export class Timers {
  readonly #sql;

  constructor(db: Database.Database) {
    this.#sql = {
      set: db.prepare("insert into timer values(?, ?, ?)"),
      clear: db.prepare("delete from timer where at = ? and kind = ? and seq = ?"),
      due: db.prepare<[number, number], { at: number; kind: TimerKind; seq: number }>(
        "select at, kind, seq from timer where at <= ? order by at, kind, seq limit ?",
      ),
      next: db.prepare<[], number>("select at from timer order by at limit 1").pluck(),
    };
  }

  set(at: number, kind: TimerKind, seq: number): void {
    this.#sql.set.run(at, kind, seq);
  }

  clear(at: number, kind: TimerKind, seq: number): void {
    this.#sql.clear.run(at, kind, seq);
  }

  due(now: number, limit: number): { readonly at: number; readonly kind: TimerKind; readonly seq: number }[] {
    return this.#sql.due.all(now, limit);
  }

  next(): number | undefined {
    return this.#sql.next.get();
  }
}
