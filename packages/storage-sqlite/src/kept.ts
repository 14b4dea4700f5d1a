import type Database from "better-sqlite3";
import { BulkInsert, rowsAtOnce } from "./bulk-insert.ts";
import { GreatestId } from "./greatest-id.ts";
import { steady } from "./steady.ts";
import { LateRows } from "./journal/late-rows.ts";
import type { Writes } from "./journal/writes.ts";
import { Soonest } from "./soonest.ts";

/** When closed tasks, and the answers to request ids, are removed. */
export class Kept {
  readonly #requests;
  readonly #nextTask = new Soonest(() => this.#sql.next.get());
  readonly #nextRequest = new Soonest(() => {
    this.#requests.settle();
    return this.#sql.nextRequest.get();
  });
  /** Of the request ids. */
  readonly #greatest = new GreatestId((namespaceId) => {
    this.#requests.settle();
    return this.#sql.greatest.get(namespaceId);
  });
  readonly #sql;

  constructor(db: Database.Database, writes: Writes) {
    const again = "on conflict do update set verb = excluded.verb, until = excluded.until, answer = excluded.answer";
    this.#requests = new LateRows<string>(
      writes.prepare(`insert into request values(?, ?, ?, ?, ?) ${again}`),
      undefined,
      new BulkInsert(writes, "request", 5, again, false),
    );
    this.#sql = {
      keep: writes.prepare("insert into kept values(?, ?)"),
      drop: writes.prepare("delete from kept where until = ? and seq = ?"),
      due: db.prepare<[number, number], { until: number; seq: number }>(
        steady("select until, seq from kept where until <= ? order by until, seq limit ?"),
      ),
      next: db.prepare<[], number>("select until from kept order by until limit 1").pluck(),
      request: db.prepare<[number, string], { verb: string; until: number; answer: string }>(
        "select verb, until, answer from request where namespace = ? and id = ?",
      ),
      greatest: db.prepare<[number], string | null>("select max(id) from request where namespace = ?").pluck(),
      dropRequests: writes.prepare(
        steady(`delete from request where (namespace, id) in
           (select namespace, id from request where until <= ? order by until limit ?)`),
      ),
      nextRequest: db.prepare<[], number>("select until from request order by until limit 1").pluck(),
    };
  }

  /** Forgets what is in memory: the transaction failed. */
  reset(): void {
    this.#requests.reset();
    this.#nextTask.forget();
    this.#nextRequest.forget();
    this.#greatest.forget();
  }

  /** Writes what the journal alone has. */
  settle(): void {
    this.#requests.settle();
  }

  /** The same if that is much: what is never taken back need not all be written at once. */
  settleIfMany(): void {
    if (this.#requests.size >= rowsAtOnce) this.#requests.settle();
  }

  keepTask(seq: number, until: number): void {
    this.#nextTask.added(until);
    this.#sql.keep.run(until, seq);
  }

  dropTask(seq: number, until: number): void {
    this.#nextTask.removed(until);
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
    if (this.#greatest.isAbove(namespaceId, id)) return undefined;
    const late = this.#requests.get(`${namespaceId}/${id}`);
    if (late != null) return Number(late[3]) > now ? { verb: String(late[2]), answer: String(late[4]) } : undefined;
    const kept = this.#sql.request.get(namespaceId, id);
    return kept !== undefined && kept.until > now ? kept : undefined;
  }

  keepRequest(namespaceId: number, id: string, verb: string, until: number, answer: string): void {
    this.#nextRequest.added(until);
    this.#greatest.note(namespaceId, id);
    this.#requests.put(`${namespaceId}/${id}`, [namespaceId, id, verb, until, answer]);
  }

  /** Removes up to `limit` answers that are too old. */
  dropRequests(now: number, limit: number): number {
    this.#requests.settle();
    this.#nextRequest.forget();
    return this.#sql.dropRequests.run(now, limit);
  }

  /** When the next of either is to be removed. */
  next(): number | undefined {
    const task = this.#nextTask.get();
    const request = this.#nextRequest.get();
    if (task === undefined) return request;
    return request === undefined ? task : Math.min(task, request);
  }
}
