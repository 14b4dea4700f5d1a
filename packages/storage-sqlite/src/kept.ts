import type Database from "better-sqlite3";
import { steady } from "./steady.ts";

/** When closed tasks, and the answers to request ids, are removed. */
export class Kept {
  readonly #sql;

  constructor(db: Database.Database) {
    this.#sql = {
      keep: db.prepare("insert into kept values(?, ?)"),
      drop: db.prepare("delete from kept where until = ? and seq = ?"),
      due: db.prepare<[number, number], { until: number; seq: number }>(
        steady("select until, seq from kept where until <= ? order by until, seq limit ?"),
      ),
      next: db.prepare<[], number>("select until from kept order by until limit 1").pluck(),
      request: db.prepare<[number, string], { verb: string; until: number; answer: string }>(
        "select verb, until, answer from request where namespace = ? and id = ?",
      ),
      keepRequest: db.prepare("insert or replace into request values(?, ?, ?, ?, ?)"),
      dropRequests: db.prepare(
        steady(`delete from request where (namespace, id) in
           (select namespace, id from request where until <= ? order by until limit ?)`),
      ),
      nextRequest: db.prepare<[], number>("select until from request order by until limit 1").pluck(),
    };
  }

  keepTask(seq: number, until: number): void {
    this.#sql.keep.run(until, seq);
  }

  dropTask(seq: number, until: number): void {
    this.#sql.drop.run(until, seq);
  }

  dueTasks(now: number, limit: number): { readonly until: number; readonly seq: number }[] {
    return this.#sql.due.all(now, limit);
  }

  /** The answer that was given to a request id; undefined if there is none, or it is too old to count. */
  request(
    namespaceId: number,
    id: string,
    now: number,
  ): { readonly verb: string; readonly answer: string } | undefined {
    const kept = this.#sql.request.get(namespaceId, id);
    return kept !== undefined && kept.until > now ? kept : undefined;
  }

  keepRequest(namespaceId: number, id: string, verb: string, until: number, answer: string): void {
    this.#sql.keepRequest.run(namespaceId, id, verb, until, answer);
  }

  /** Removes up to `limit` answers that are too old. */
  dropRequests(now: number, limit: number): number {
    return this.#sql.dropRequests.run(now, limit).changes;
  }

  /** When the next of either is to be removed. */
  next(): number | undefined {
    const task = this.#sql.next.get();
    const request = this.#sql.nextRequest.get();
    if (task === undefined) return request;
    return request === undefined ? task : Math.min(task, request);
  }
}
