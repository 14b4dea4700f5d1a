import type Database from "better-sqlite3";
import { taskQueueKey, type Priority, type TaskQueue, type TaskQueueKind } from "@tq/matching-core";
import type { Namespaces } from "./namespaces.ts";

/** The states that are counted. `waiting` is ready, but behind another task of its serial key, so not placed. */
export const countedStates = ["scheduled", "ready", "waiting", "started", "dead"] as const;
export type CountedState = (typeof countedStates)[number];

/** Tasks of one type and priority, by state. */
export type Counts = Record<CountedState, number>;

/** How many queues are held in memory; others are read again when they are next used. */
const maxCached = 10_000;

/** A queue that is in use, as it stands inside the present transaction. */
export interface QueueState {
  readonly id: number;
  readonly key: string;
  readonly queue: TaskQueue;
  readonly namespaceId: number;
  /** By priority; index 0 is not used. The pass of the last dispatched task of that priority. */
  readonly virtualTimes: number[];
  /** Closed tasks that are kept: as long as there are any, somebody may ask for them, and so for their queue. */
  closed: number;
  /** Whether the transaction changed any of the above. */
  rowChanged: boolean;
  /** By type, then by priority; index 0 is not used. */
  readonly counts: Map<string, (Counts | undefined)[]>;
}

/** All at 0. */
export function noCounts(): Counts {
  return { scheduled: 0, ready: 0, waiting: 0, started: 0, dead: 0 };
}

function isZero(counts: Counts): boolean {
  return countedStates.every((state) => counts[state] === 0);
}

/** Whether it holds no task at all. */
function isEmpty(queue: QueueState): boolean {
  return queue.counts.size === 0 && queue.closed === 0;
}

const columns = "id, namespace, name, kind, virtual_times, closed";
/** In SQL, where `queue` is the row. */
const emptyWithoutConfig =
  "config is null and closed = 0 and not exists(select 1 from count c where c.queue = queue.id)";

/**
 * The queues, with their counters. Counters are changed in memory while a transaction runs and written, each once, at
 * its end; after a transaction that failed everything here is forgotten and read anew.
 */
export class Queues {
  readonly #namespaces: Namespaces;
  readonly #byKey = new Map<string, QueueState>();
  readonly #byId = new Map<number, QueueState>();
  /** Counter rows to write: queue, type, priority. */
  readonly #dirty = new Map<QueueState, Map<string, Set<Priority>>>();
  /** Queues that have become empty, and since when: their rows go once they have been so for a while. */
  readonly #emptied = new Map<number, number>();
  readonly #sql;

  constructor(db: Database.Database, namespaces: Namespaces) {
    this.#namespaces = namespaces;
    this.#sql = {
      byName: db.prepare<[number, string, string], QueueRow>(
        `select ${columns} from queue where namespace = ? and name = ? and kind = ?`,
      ),
      byId: db.prepare<[number], QueueRow>(`select ${columns} from queue where id = ?`),
      list: db.prepare<[number, string, string, number], QueueRow>(
        `select ${columns} from queue
         where namespace = ? and (name, kind) > (?, ?) order by name, kind limit ?`,
      ),
      insert: db.prepare(
        "insert into queue(id, namespace, name, kind, virtual_times, closed) values(?, ?, ?, ?, ?, 0)",
      ),
      update: db.prepare("update queue set virtual_times = ?, closed = ? where id = ?"),
      counts: db.prepare<[number], Counts & { type: string; priority: Priority }>(
        "select type, priority, scheduled, ready, waiting, started, dead from count where queue = ?",
      ),
      setCount: db.prepare("insert or replace into count values(?, ?, ?, ?, ?, ?, ?, ?)"),
      deleteCount: db.prepare("delete from count where queue = ? and priority = ? and type = ?"),
      empty: db.prepare<[], { id: number }>(`select id from queue where ${emptyWithoutConfig}`),
      deleteKeyPasses: db.prepare("delete from key_pass where queue = ?"),
      deleteIfEmpty: db.prepare(`delete from queue where id = ? and ${emptyWithoutConfig}`),
    };
  }

  /** Forgets what is in memory, and looks for the queues that are empty now. */
  reset(now: number): void {
    this.#byKey.clear();
    this.#byId.clear();
    this.#dirty.clear();
    this.#emptied.clear();
    for (const { id } of this.#sql.empty.all()) this.#emptied.set(id, now);
  }

  /** The queue, if it exists. */
  find(queue: TaskQueue): QueueState | undefined {
    const key = taskQueueKey(queue);
    const cached = this.#byKey.get(key);
    if (cached !== undefined) return cached;
    const namespaceId = this.#namespaces.idOf(queue.namespace);
    const row = namespaceId === undefined ? undefined : this.#sql.byName.get(namespaceId, queue.name, queue.kind);
    return row === undefined ? undefined : this.#load(row);
  }

  /** The queue, which is created if need be. Its namespace must exist. */
  use(queue: TaskQueue, newId: () => number): QueueState {
    const found = this.find(queue);
    if (found !== undefined) return found;
    const namespaceId = this.#namespaces.idOf(queue.namespace);
    if (namespaceId === undefined) throw new Error(`namespace ${queue.namespace} was not checked`);
    const id = newId();
    const virtual_times = JSON.stringify([0, 0, 0, 0, 0, 0]);
    this.#sql.insert.run(id, namespaceId, queue.name, queue.kind, virtual_times);
    return this.#load({ id, namespace: namespaceId, name: queue.name, kind: queue.kind, virtual_times, closed: 0 });
  }

  /** A queue whose id stands in a row. */
  byId(id: number): QueueState {
    const cached = this.#byId.get(id);
    if (cached !== undefined) return cached;
    const row = this.#sql.byId.get(id);
    if (row === undefined) throw new Error(`queue ${id} is gone while a row names it`);
    return this.#load(row);
  }

  /** Up to `limit` queues of a namespace that hold something, in order of name and kind, behind a page token. */
  list(
    namespace: string,
    filter: { readonly namePrefix: string; readonly kind?: TaskQueueKind },
    limit: number,
    after: string | undefined,
  ): QueueState[] {
    const namespaceId = this.#namespaces.idOf(namespace);
    if (namespaceId === undefined) return [];
    const found: QueueState[] = [];
    // The name before the first that has the prefix: nothing sorts between a prefix and itself with an empty kind.
    let [name, kind] = after === undefined ? [filter.namePrefix, ""] : (JSON.parse(after) as [string, string]);
    while (found.length < limit) {
      const rows = this.#sql.list.all(namespaceId, name, kind, limit);
      for (const row of rows) {
        if (!row.name.startsWith(filter.namePrefix)) return found;
        const state = this.#byId.get(row.id) ?? this.#load(row);
        if ((filter.kind === undefined || row.kind === filter.kind) && !isEmpty(state)) found.push(state);
      }
      const last = rows.at(-1);
      if (last === undefined || rows.length < limit) break;
      ({ name, kind } = last);
    }
    return found.slice(0, limit);
  }

  /** Tasks that are placed: what a claim can find. */
  placed(queue: QueueState, type: string, priority: Priority): number {
    return queue.counts.get(type)?.[priority]?.ready ?? 0;
  }

  /** Changes one counter. */
  bump(queue: QueueState, type: string, priority: Priority, state: CountedState, by: 1 | -1): void {
    let ofType = queue.counts.get(type);
    if (ofType === undefined) queue.counts.set(type, (ofType = []));
    const counts = (ofType[priority] ??= noCounts());
    counts[state] += by;
    const dirty = this.#dirtyTypes(queue);
    const ofDirty = dirty.get(type);
    if (ofDirty === undefined) dirty.set(type, new Set([priority]));
    else ofDirty.add(priority);
  }

  /** A task closed and is kept, or one that was goes. */
  bumpClosed(queue: QueueState, by: 1 | -1): void {
    queue.closed += by;
    queue.rowChanged = true;
    this.#dirtyTypes(queue);
  }

  /** Writes what the transaction changed. */
  flush(now: number): void {
    for (const [queue, types] of this.#dirty) {
      for (const [type, changed] of types) this.#flushType(queue, type, changed);
      // Put in anew, so that they stay in order of time.
      this.#emptied.delete(queue.id);
      if (isEmpty(queue)) this.#emptied.set(queue.id, now);
      this.#flushRow(queue);
    }
    this.#dirty.clear();
  }

  /** Lets go of queues that have not been loaded lately. Between transactions only: states are compared by identity. */
  evict(): void {
    for (const [key, state] of this.#byKey) {
      if (this.#byKey.size <= maxCached) return;
      this.#byKey.delete(key);
      this.#byId.delete(state.id);
    }
  }

  /** When the first empty queue can be removed. */
  nextRemoval(keepEmptyMs: number): number | undefined {
    for (const since of this.#emptied.values()) return since + keepEmptyMs;
    return undefined;
  }

  /** Removes the rows of up to `limit` queues that have been empty for so long, and have no configuration. */
  removeEmpty(now: number, keepEmptyMs: number, limit: number): number {
    let removed = 0;
    for (const [id, since] of this.#emptied) {
      if (removed >= limit || since + keepEmptyMs > now) break;
      this.#emptied.delete(id);
      removed += 1;
      const cached = this.#byId.get(id);
      // Something of this very transaction is in it.
      if (cached !== undefined && !isEmpty(cached)) continue;
      if (this.#sql.deleteIfEmpty.run(id).changes === 0) continue;
      this.#sql.deleteKeyPasses.run(id);
      if (cached === undefined) continue;
      this.#byId.delete(id);
      this.#byKey.delete(cached.key);
    }
    return removed;
  }

  #flushType(queue: QueueState, type: string, changed: ReadonlySet<Priority>): void {
    const ofType = queue.counts.get(type);
    if (ofType === undefined) return;
    for (const priority of changed) {
      const counts = ofType[priority];
      if (counts === undefined) continue;
      if (isZero(counts)) {
        ofType[priority] = undefined;
        this.#sql.deleteCount.run(queue.id, priority, type);
      } else {
        const { scheduled, ready, waiting, started, dead } = counts;
        this.#sql.setCount.run(queue.id, priority, type, scheduled, ready, waiting, started, dead);
      }
    }
    if (ofType.every((counts) => counts === undefined)) queue.counts.delete(type);
  }

  #flushRow(queue: QueueState): void {
    if (!queue.rowChanged) return;
    this.#sql.update.run(JSON.stringify(queue.virtualTimes), queue.closed, queue.id);
    queue.rowChanged = false;
  }

  #dirtyTypes(queue: QueueState): Map<string, Set<Priority>> {
    let dirty = this.#dirty.get(queue);
    if (dirty === undefined) this.#dirty.set(queue, (dirty = new Map<string, Set<Priority>>()));
    return dirty;
  }

  #load(row: QueueRow): QueueState {
    const queue: TaskQueue = { namespace: this.#namespaces.nameOf(row.namespace), name: row.name, kind: row.kind };
    const state: QueueState = {
      id: row.id,
      key: taskQueueKey(queue),
      queue,
      namespaceId: row.namespace,
      virtualTimes: JSON.parse(row.virtual_times) as number[],
      closed: row.closed,
      rowChanged: false,
      counts: new Map(),
    };
    for (const { type, priority, ...counts } of this.#sql.counts.all(row.id)) {
      let ofType = state.counts.get(type);
      if (ofType === undefined) state.counts.set(type, (ofType = []));
      ofType[priority] = counts;
    }
    this.#byKey.set(state.key, state);
    this.#byId.set(state.id, state);
    return state;
  }
}

interface QueueRow {
  readonly id: number;
  readonly namespace: number;
  readonly name: string;
  readonly kind: TaskQueueKind;
  readonly virtual_times: string;
  readonly closed: number;
}
