import { eventRetentionMs, type TaskQueue, type TaskQueueKind } from "@tq/matching-core";
import type { ActionRecord, EventRecord, Page } from "@tq/storage";
import type Database from "better-sqlite3";
import { steady } from "./steady.ts";
import type { Writes } from "./journal/writes.ts";
import { Soonest } from "./soonest.ts";

/** What an event is about, beside the action. */
export interface EventSubject {
  readonly queue?: TaskQueue;
  readonly workerId?: string;
  /** Tasks that were changed. */
  readonly changed?: number;
}

/** What operators did. */
export class Events {
  readonly #oldest = new Soonest(() => this.#sql.oldest.get());
  readonly #sql;

  constructor(db: Database.Database, writes: Writes) {
    this.#sql = {
      add: writes.prepareReturning<number>("insert into event values(null, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) returning id"),
      setChanged: writes.prepare("update event set changed = ? where id = ?"),
      all: db.prepare<[number, number, number], EventRow>(
        steady("select * from event where namespace = ? and id < ? order by id desc limit ?"),
      ),
      ofQueue: db.prepare<[number, string, number, number], EventRow>(
        steady("select * from event where namespace = ? and queue_name = ? and id < ? order by id desc limit ?"),
      ),
      drop: writes.prepare(
        steady("delete from event where id in (select id from event where at <= ? order by at limit ?)"),
      ),
      oldest: db.prepare<[], number>("select at from event order by at limit 1").pluck(),
    };
  }

  /** Forgets what is in memory: the transaction failed. */
  reset(): void {
    this.#oldest.forget();
  }

  /** Answers its number. */
  add(namespaceId: number, at: number, action: ActionRecord, { queue, workerId, changed = 0 }: EventSubject): number {
    const { actor, reason, call, request } = action;
    const { name = null, kind = null } = queue ?? {};
    const { add } = this.#sql;
    this.#oldest.added(at);
    return add.get(namespaceId, at, actor, reason, call, name, kind, workerId ?? null, request, changed) ?? 0;
  }

  /** How many tasks it has changed by now. */
  setChanged(id: number, changed: number): void {
    this.#sql.setChanged.run(changed, id);
  }

  /** Newest first. */
  list(
    namespaceId: number,
    namespace: string,
    filter: { readonly queueName?: string; readonly queueKind?: TaskQueueKind },
    page: { readonly size: number; readonly after?: string },
  ): Page<EventRecord> {
    const { queueName, queueKind } = filter;
    const items: EventRecord[] = [];
    let before = page.after === undefined ? Number.MAX_SAFE_INTEGER : Number(page.after);
    for (;;) {
      const limit = page.size + 1;
      const rows =
        queueName === undefined
          ? this.#sql.all.all(namespaceId, before, limit)
          : this.#sql.ofQueue.all(namespaceId, queueName, before, limit);
      for (const row of rows) {
        if (queueKind !== undefined && row.queue_kind !== queueKind) continue;
        if (items.length === page.size) return { items, next: String(before) };
        items.push(toRecord(row, namespace));
        before = row.id;
      }
      const last = rows.at(-1);
      if (last === undefined || rows.length < limit) return { items };
      before = last.id;
    }
  }

  /** Removes up to `limit` that are too old. */
  drop(now: number, limit: number): number {
    this.#oldest.forget();
    return this.#sql.drop.run(now - eventRetentionMs, limit);
  }

  /** When the next one is to be removed. */
  next(): number | undefined {
    const oldest = this.#oldest.get();
    return oldest === undefined ? undefined : oldest + eventRetentionMs;
  }
}

interface EventRow {
  readonly id: number;
  readonly at: number;
  readonly actor: string;
  readonly reason: string;
  readonly call: string;
  readonly queue_name: string | null;
  readonly queue_kind: TaskQueueKind | null;
  readonly worker: string | null;
  readonly request: string;
  readonly changed: number;
}

function toRecord(row: EventRow, namespace: string): EventRecord {
  const { id, at, actor, reason, call, queue_name: name, queue_kind: kind, worker, request, changed } = row;
  return {
    id,
    at,
    action: { actor, reason, call, request },
    ...(name !== null && kind !== null && { queue: { namespace, name, kind } }),
    ...(worker !== null && { workerId: worker }),
    changed,
  };
}
