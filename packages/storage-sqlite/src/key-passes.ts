import type Database from "better-sqlite3";
import type { Priority } from "@tq/matching-core";
import { BulkInsert } from "./bulk-insert.ts";
import { PassedPasses } from "./passed-passes.ts";
import { QueueCache } from "./queue-cache.ts";
import type { QueueState } from "./queues.ts";
import type { Writes } from "./journal/writes.ts";

/** How many passes are held in memory; beyond, all are let go and read again as needed. */
const maxCached = 50_000;

interface KeyPass {
  readonly queue: QueueState;
  readonly priority: Priority;
  readonly key: string;
  pass: number;
  /** Whether there is a row of it: in the file, or as the journal has it. */
  isKept: boolean;
}

/**
 * The next pass of each fairness key. A row exists while the pass is ahead of the virtual time; a key without one gets
 * the virtual time, which is what a row behind it would mean.
 */
export class KeyPasses {
  readonly #cache = new QueueCache<KeyPass>(maxCached);
  #dirty = new Set<KeyPass>();
  /** Those that the journal alone has. */
  #late = new Set<KeyPass>();
  readonly #passed: PassedPasses;
  readonly #insert: BulkInsert;
  readonly #sql;

  constructor(db: Database.Database, writes: Writes) {
    this.#passed = new PassedPasses(db);
    const onConflict = "on conflict do update set pass = excluded.pass";
    this.#insert = new BulkInsert(writes, "key_pass", 4, onConflict, false);
    this.#sql = {
      get: db
        .prepare<[number, number, string], number>(
          "select pass from key_pass where queue = ? and priority = ? and key = ?",
        )
        .pluck(),
      set: writes.prepare(`insert into key_pass values(?, ?, ?, ?) ${onConflict}`),
      delete: writes.prepare("delete from key_pass where queue = ? and priority = ? and key = ?"),
    };
  }

  /** Forgets what is in memory. */
  reset(now: number): void {
    this.#cache.clear();
    if (this.#dirty.size > 0) this.#dirty = new Set();
    if (this.#late.size > 0) this.#late = new Set();
    this.#insert.reset();
    this.#passed.reset(now);
  }

  get(queue: QueueState, priority: Priority, key: string): number {
    return this.#entry(queue, priority, key).pass;
  }

  set(queue: QueueState, priority: Priority, key: string, pass: number): void {
    const entry = this.#entry(queue, priority, key);
    entry.pass = pass;
    this.#dirty.add(entry);
  }

  /** Notes what the transaction changed. */
  flush(now: number): void {
    for (const entry of this.#dirty) {
      const { queue, priority, key, pass } = entry;
      if (pass > (queue.virtualTimes[priority] ?? 0)) {
        this.#sql.set.promise(queue.id, priority, key, pass);
        entry.isKept = true;
      } else {
        if (!entry.isKept) continue;
        this.#sql.delete.promise(queue.id, priority, key);
        entry.isKept = false;
      }
      this.#late.add(entry);
    }
    if (this.#dirty.size > 0) this.#dirty = new Set();
    this.#passed.flush(now);
  }

  /** The virtual time of the queue has moved. */
  virtualTimeMoved(queue: QueueState): void {
    this.#passed.moved(queue.id);
  }

  /** Writes what the journal alone has. */
  settle(): void {
    if (this.#late.size === 0) return;
    // In the order of the table, so that each of its pages is found once.
    for (const { queue, priority, key, pass, isKept } of [...this.#late].sort(inOrder)) {
      if (isKept) this.#insert.add(queue.id, priority, key, pass);
      else this.#sql.delete.settle(queue.id, priority, key);
    }
    this.#insert.flush();
    this.#late = new Set();
  }

  /** Lets go of what is in memory if it is too much. Between transactions only. */
  evict(): void {
    this.#cache.evict();
  }

  /** The queue is gone, or let go of. */
  forget(queueId: number): void {
    this.#cache.forget(queueId);
    for (const entry of this.#late) if (entry.queue.id === queueId) this.#late.delete(entry);
  }

  /** When to prune next. */
  get nextPrune(): number | undefined {
    return this.#passed.next;
  }

  /**
   * If it is time: looks at up to `limit` rows and removes those that the virtual time has passed. Answers how many went.
   *
   * @param virtualTimesOf those of a queue, by priority
   */
  prune(now: number, limit: number, virtualTimesOf: (queueId: number) => readonly number[]): number {
    const at = this.#passed.next;
    if (at === undefined || at > now) return 0;
    this.settle();
    const passed = this.#passed.take(now, limit, virtualTimesOf);
    for (const { queue, priority, key } of passed) this.#sql.delete.run(queue, priority, key);
    return passed.length;
  }

  #entry(queue: QueueState, priority: Priority, key: string): KeyPass {
    let entry = this.#cache.get(queue, priority, key);
    if (entry === undefined) {
      const pass = this.#sql.get.get(queue.id, priority, key);
      entry = { queue, priority, key, pass: pass ?? 0, isKept: pass !== undefined };
      this.#cache.set(queue, priority, key, entry);
    }
    return entry;
  }
}

function inOrder(a: KeyPass, b: KeyPass): number {
  if (a.queue !== b.queue) return a.queue.id - b.queue.id;
  if (a.priority !== b.priority) return a.priority - b.priority;
  if (a.key === b.key) return 0;
  return a.key < b.key ? -1 : 1;
}
