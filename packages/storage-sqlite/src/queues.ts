import type Database from "better-sqlite3";
import { KeyedTaskQueue, type Priority, type TaskQueue, type TaskQueueKind } from "@tq/matching-core";
import type { DrainRecord, KeyHeldBack, PauseRecord, TaskCounts, TaskQueueConfig } from "@tq/storage";
import { counterOf, isZero, type CountedState, type Counter, type Counts } from "./counters.ts";
import type { Namespaces } from "./namespaces.ts";
import { isSet, readConfig, writeConfig } from "./queue-settings.ts";
import { QueuesByName } from "./queues-by-name.ts";
import { steady } from "./steady.ts";
import type { Value } from "./journal/encoding.ts";
import { LateRows } from "./journal/late-rows.ts";
import type { Writes } from "./journal/writes.ts";

/** How many queues are held in memory; others are read again when they are next used. */
const maxCached = 10_000;

/** A queue that is in use, as it stands inside the present transaction. */
export interface QueueState {
  readonly id: number;
  readonly queue: KeyedTaskQueue;
  readonly namespaceId: number;
  /** By priority; index 0 is not used. The pass of the last dispatched task of that priority. */
  readonly virtualTimes: number[];
  readonly config: TaskQueueConfig;
  /** Whether the configuration limits single keys; and whether it gives any a weight. */
  readonly hasKeyLimits: boolean;
  readonly hasKeyWeights: boolean;
  /** As it was set; it may be over. */
  pause: PauseRecord | undefined;
  drain: DrainRecord | undefined;
  /** Theoretical arrival time of its rate limit: see the core. */
  arrival: number;
  /** The rate that workers asked for, as of the last dispatch under it. */
  askedRate: number | undefined;
  /** Fairness keys that are held back, and since when there are any. */
  readonly heldBack: Readonly<Record<KeyHeldBack, { keys: number; tasks: number; since: number | undefined }>>;
  /** How many lanes there are: see order/. */
  lanes: number;
  /** Open tasks, and those of them that are started, ready (in line for their serial key, too) and scheduled. */
  open: number;
  started: number;
  ready: number;
  scheduled: number;
  /** Since when tasks are scheduled and none is ready. */
  delayedSince: number | undefined;
  /** Closed tasks that are kept: as long as there are any, somebody may ask for them, and so for their queue. */
  closed: number;
  /** Where its deletion goes on: of the tasks up to this number, none is a closed one of this queue. */
  closedGoneUpTo: number;
  /** Whether the transaction changed its virtual times; and whether it changed any other of the above that its row says. */
  virtualTimesChanged: boolean;
  rowChanged: boolean;
  /** Whether the transaction changed anything of it. */
  isChanged: boolean;
  /** By type, then by priority; index 0 is not used. */
  readonly counts: Map<string, (Counter | undefined)[]>;
  /** The counters that came to 0 last: those of the next task, mostly. */
  spareCounter: Counter | undefined;
}

function isSame(a: TaskQueue, b: TaskQueue): boolean {
  return a === b || (a.name === b.name && a.kind === b.kind && a.namespace === b.namespace);
}

/** Whether it holds no task at all, and no operator has set anything on it. */
function isEmpty(queue: QueueState): boolean {
  const { counts, closed, config, pause, drain } = queue;
  return counts.size === 0 && closed === 0 && pause === undefined && drain === undefined && !isSet(config);
}

const columns = `id, namespace, name, kind, virtual_times, closed, arrival, asked_rate, delayed_since, config_revision,
  config, pause, drain`;
/** In SQL, where `q` is the row of the queue. */
const emptyWithoutSettings =
  "q.config is null and q.pause is null and q.drain is null and q.closed = 0 and not exists(select 1 from count where queue = q.id)";
const noTasks: TaskCounts = { scheduled: 0, ready: 0, started: 0, dead: 0 };

/**
 * The queues, with their counters. Counters are changed in memory while a transaction runs and written, each once, at
 * its end; after a transaction that failed everything here is forgotten and read anew.
 */
export class Queues {
  readonly #namespaces: Namespaces;
  readonly #forgotten: (queueId: number) => void;
  readonly #byName = new QueuesByName<QueueState>();
  readonly #byId = new Map<number, QueueState>();
  /** What the transaction changed. */
  #changed: QueueState[] = [];
  #changedCounters: Counter[] = [];
  /** Queues that have become empty, and since when: their rows go once they have been so for a while. */
  readonly #emptied = new Map<number, number>();
  #lastFound: QueueState | undefined;
  readonly #counts;
  /** Those whose rows the journal alone has as they are. */
  #late = new Set<QueueState>();
  readonly #sql;

  /** @param forgotten called with the id of a queue that is held in memory no more */
  constructor(db: Database.Database, writes: Writes, namespaces: Namespaces, forgotten: (queueId: number) => void) {
    this.#namespaces = namespaces;
    this.#forgotten = forgotten;
    this.#counts = new LateRows<string>(
      writes.prepare("insert or replace into count values(?, ?, ?, ?, ?, ?, ?, ?)"),
      writes.prepare("delete from count where queue = ? and priority = ? and type = ?"),
    );
    this.#sql = {
      update: writes.prepare(
        `update queue set virtual_times = ?, closed = ?, arrival = ?, asked_rate = ?, delayed_since = ?, config_revision = ?, config = ?,
           pause = ?, drain = ? where id = ?`,
      ),
      updateVirtualTimes: writes.prepare("update queue set virtual_times = ? where id = ?"),
      byName: db.prepare<[number, string, string], QueueRow>(
        `select ${columns} from queue where namespace = ? and name = ? and kind = ?`,
      ),
      byId: db.prepare<[number], QueueRow>(`select ${columns} from queue where id = ?`),
      list: db.prepare<[number, string, string, number], QueueRow>(
        steady(`select ${columns} from queue
         where namespace = ? and (name, kind) > (?, ?) order by name, kind limit ?`),
      ),
      sum: db.prepare<[number], TaskCounts & { taskQueues: number }>(
        `select count(distinct q.id) as taskQueues, coalesce(sum(scheduled), 0) as scheduled,
           coalesce(sum(ready + waiting), 0) as ready, coalesce(sum(started), 0) as started, coalesce(sum(dead), 0) as dead
         from queue q left join count c on c.queue = q.id where q.namespace = ? and not (${emptyWithoutSettings})`,
      ),
      insert: writes.prepare(
        `insert into queue(id, namespace, name, kind, virtual_times, closed, arrival, config_revision)
         values(?, ?, ?, ?, ?, 0, 0, 0)`,
      ),
      counts: db.prepare<[number], Counts & { type: string; priority: Priority }>(
        "select type, priority, scheduled, ready, waiting, started, dead from count where queue = ?",
      ),
      lanes: db.prepare<[number], number>("select count(*) from lane where queue = ?").pluck(),
      heldBack: db.prepare<[number], { held_back: KeyHeldBack; keys: number; tasks: number; since: number }>(
        `select held_back, count(*) as keys, min(since) as since,
           coalesce(sum((select sum(tasks) from lane l where l.queue = k.queue and l.key = k.key)), 0) as tasks
         from key_limit k where queue = ? and held_back is not null group by held_back`,
      ),
      empty: db.prepare<[], { id: number }>(`select id from queue q where ${emptyWithoutSettings}`),
      arrival: db.prepare<[number], number>("select arrival from queue where id = ?").pluck(),
      virtualTimes: db.prepare<[number], string>("select virtual_times from queue where id = ?").pluck(),
      deleteKeyPasses: writes.prepare("delete from key_pass where queue = ?"),
      deleteKeyLimits: writes.prepare("delete from key_limit where queue = ?"),
      deleteIfEmpty: writes.prepare(`delete from queue as q where id = ? and ${emptyWithoutSettings}`),
    };
  }

  /** Forgets what is in memory, and looks for the queues that are empty now. */
  reset(now: number): void {
    this.#byName.clear();
    this.#lastFound = undefined;
    this.#byId.clear();
    this.#changed = [];
    this.#changedCounters = [];
    this.#counts.reset();
    this.#late = new Set();
    this.#emptied.clear();
    for (const { id } of this.#sql.empty.all()) this.#emptied.set(id, now);
  }

  /** The queue, if it exists. */
  find(queue: TaskQueue): QueueState | undefined {
    // A batch is of one queue, mostly.
    const last = this.#lastFound;
    if (last !== undefined && isSame(last.queue, queue)) return last;
    const cached = this.#byName.get(queue);
    if (cached !== undefined) return (this.#lastFound = cached);
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
    // Of a new one there is nothing else to read.
    return this.#hold({
      id,
      namespace: namespaceId,
      name: queue.name,
      kind: queue.kind,
      virtual_times,
      closed: 0,
      arrival: 0,
      asked_rate: null,
      delayed_since: null,
      config_revision: 0,
      config: null,
      pause: null,
      drain: null,
    });
  }

  /** A queue whose id stands in a row. */
  byId(id: number): QueueState {
    const cached = this.#byId.get(id);
    if (cached !== undefined) return cached;
    const row = this.#sql.byId.get(id);
    if (row === undefined) throw new Error(`queue ${id} is gone while a row names it`);
    return this.#load(row);
  }

  /** The virtual times of a queue whose id stands in a row, by priority; it is not held in memory for that. */
  virtualTimesOf(id: number): readonly number[] {
    const row = this.#byId.has(id) ? undefined : this.#sql.virtualTimes.get(id);
    return row === undefined ? this.byId(id).virtualTimes : (JSON.parse(row) as number[]);
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
    this.settle();
    const found: QueueState[] = [];
    // The name before the first that has the prefix: nothing sorts between a prefix and itself with an empty kind.
    let [name, kind] = after === undefined ? [filter.namePrefix, ""] : (JSON.parse(after) as [string, string]);
    while (found.length < limit) {
      const rows = this.#sql.list.all(namespaceId, name, kind, limit);
      for (const row of rows) {
        if (!row.name.startsWith(filter.namePrefix)) return found;
        if (filter.kind !== undefined && row.kind !== filter.kind) continue;
        const state = this.#byId.get(row.id) ?? this.#load(row);
        if (!isEmpty(state)) found.push(state);
      }
      const last = rows.at(-1);
      if (last === undefined || rows.length < limit) break;
      ({ name, kind } = last);
    }
    return found.slice(0, limit);
  }

  /** How many queues of a namespace hold something or have settings, and all their tasks. Reads every row of theirs. */
  sumOf(namespaceId: number): { readonly taskQueues: number; readonly counts: TaskCounts } {
    this.settle();
    const { taskQueues, ...counts } = this.#sql.sum.get(namespaceId) ?? { ...noTasks, taskQueues: 0 };
    return { taskQueues, counts };
  }

  /** Tasks that are placed: what a claim can find. */
  placed(queue: QueueState, type: string, priority: Priority): number {
    return queue.counts.get(type)?.[priority]?.ready ?? 0;
  }

  /** Changes one counter. */
  bump(queue: QueueState, type: string, priority: Priority, state: CountedState, by: 1 | -1): void {
    const counter = counterOf(queue, type, priority);
    counter[state] += by;
    if (state !== "dead") queue.open += by;
    if (state === "started") queue.started += by;
    else if (state === "scheduled") queue.scheduled += by;
    else if (state !== "dead") queue.ready += by;
    if (counter.isChanged) return;
    counter.isChanged = true;
    this.#changedCounters.push(counter);
    this.#note(queue);
  }

  /** Gives the queue another configuration. */
  configure(queue: QueueState, config: TaskQueueConfig): void {
    Object.assign(queue, configured(config));
    this.changed(queue);
  }

  /** Something else than its counters changed: writes its row at the end of the transaction. */
  changed(queue: QueueState): void {
    queue.rowChanged = true;
    this.#note(queue);
  }

  /** A task closed and is kept, or one that was goes. */
  bumpClosed(queue: QueueState, by: 1 | -1): void {
    queue.closed += by;
    this.changed(queue);
  }

  /** Writes what the journal alone has. */
  settle(): void {
    this.#counts.settle();
    for (const queue of this.#late) this.#sql.update.settle(...columnsOf(queue));
    if (this.#late.size > 0) this.#late = new Set();
  }

  /** Notes what the transaction changed. */
  flush(now: number): void {
    for (const counter of this.#changedCounters) this.#flushCounter(counter);
    this.#changedCounters = [];
    for (const queue of this.#changed) {
      queue.isChanged = false;
      // Put in anew, so that they stay in order of time.
      this.#emptied.delete(queue.id);
      if (isEmpty(queue)) this.#emptied.set(queue.id, now);
      noteDelay(queue, now);
      this.#flushRow(queue);
    }
    this.#changed = [];
  }

  /** Lets go of queues that have not been loaded lately. Once all is settled, and before anything is begun: states are compared by identity. */
  evict(): void {
    for (const state of this.#byId.values()) {
      if (this.#byId.size <= maxCached) return;
      this.#byName.delete(state);
      this.#byId.delete(state.id);
      this.#letGo(state.id);
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
      // Only then: what a thousand queues have late costs more than to look.
      if (removed === 0) this.settle();
      this.#emptied.delete(id);
      removed += 1;
      const cached = this.#byId.get(id);
      // Something of this very transaction is in it.
      if (cached !== undefined && !isEmpty(cached)) continue;
      // A rate that its workers asked for holds even if it is used up for longer than that.
      if ((cached?.arrival ?? this.#sql.arrival.get(id) ?? 0) > now) {
        this.#emptied.set(id, now);
        continue;
      }
      if (this.#sql.deleteIfEmpty.run(id) === 0) continue;
      // Said even if the file has none: the journal may, and they would come back after a crash.
      this.#sql.deleteKeyPasses.promise(id);
      this.#sql.deleteKeyPasses.settle(id);
      this.#sql.deleteKeyLimits.run(id);
      this.#letGo(id);
      if (cached === undefined) continue;
      this.#byId.delete(id);
      this.#byName.delete(cached);
    }
    return removed;
  }

  /** It is held in memory no more. */
  #letGo(queueId: number): void {
    if (this.#lastFound?.id === queueId) this.#lastFound = undefined;
    this.#forgotten(queueId);
  }

  #flushCounter(counter: Counter): void {
    counter.isChanged = false;
    const { queue, type, priority, key, scheduled, ready, waiting, started, dead } = counter;
    if (!isZero(counter)) {
      this.#counts.put(key, [queue.id, priority, type, scheduled, ready, waiting, started, dead], counter.isNew);
      counter.isNew = false;
      return;
    }
    if (!counter.isNew) this.#counts.remove(key, queue.id, priority, type);
    counter.isNew = true;
    queue.spareCounter = counter;
    const ofType = queue.counts.get(type);
    if (ofType === undefined) return;
    ofType[priority] = undefined;
    if (ofType.every((other) => other === undefined)) queue.counts.delete(type);
  }

  #flushRow(queue: QueueState): void {
    // Most dispatches change nothing else.
    if (queue.rowChanged) this.#sql.update.promise(...columnsOf(queue));
    else if (queue.virtualTimesChanged) this.#sql.updateVirtualTimes.promise(virtualTimesText(queue), queue.id);
    else return;
    this.#late.add(queue);
    queue.virtualTimesChanged = false;
    queue.rowChanged = false;
  }

  #note(queue: QueueState): void {
    if (queue.isChanged) return;
    queue.isChanged = true;
    this.#changed.push(queue);
  }

  /** Holds a queue as its row says, and all that is counted of it. */
  #load(row: QueueRow): QueueState {
    const state = this.#hold(row);
    state.lanes = this.#sql.lanes.get(row.id) ?? 0;
    for (const { held_back, ...held } of this.#sql.heldBack.all(row.id)) Object.assign(state.heldBack[held_back], held);
    for (const { type, priority, ...counts } of this.#sql.counts.all(row.id)) {
      Object.assign(counterOf(state, type, priority), counts, { isNew: false });
      state.open += counts.scheduled + counts.ready + counts.waiting + counts.started;
      state.started += counts.started;
      state.ready += counts.ready + counts.waiting;
      state.scheduled += counts.scheduled;
    }
    return state;
  }

  #hold(row: QueueRow): QueueState {
    const queue = new KeyedTaskQueue(this.#namespaces.nameOf(row.namespace), row.name, row.kind);
    const state: QueueState = {
      id: row.id,
      queue,
      namespaceId: row.namespace,
      virtualTimes: JSON.parse(row.virtual_times) as number[],
      ...configured(readConfig(row.config_revision, row.config)),
      pause: row.pause === null ? undefined : (JSON.parse(row.pause) as PauseRecord),
      drain: row.drain === null ? undefined : (JSON.parse(row.drain) as DrainRecord),
      arrival: row.arrival,
      askedRate: row.asked_rate ?? undefined,
      heldBack: {
        rate: { keys: 0, tasks: 0, since: undefined },
        "max-started": { keys: 0, tasks: 0, since: undefined },
      },
      lanes: 0,
      open: 0,
      started: 0,
      ready: 0,
      scheduled: 0,
      delayedSince: row.delayed_since ?? undefined,
      closed: row.closed,
      closedGoneUpTo: 0,
      virtualTimesChanged: false,
      rowChanged: false,
      isChanged: false,
      counts: new Map(),
      spareCounter: undefined,
    };
    this.#byName.add(state);
    this.#byId.set(state.id, state);
    return state;
  }
}

/** What its row says, and its id. */
function columnsOf(queue: QueueState): readonly Value[] {
  const { id, closed, arrival, askedRate, delayedSince, config, pause, drain } = queue;
  return [
    virtualTimesText(queue),
    closed,
    arrival,
    askedRate ?? null,
    delayedSince ?? null,
    config.revision,
    writeConfig(config),
    pause === undefined ? null : JSON.stringify(pause),
    drain === undefined ? null : JSON.stringify(drain),
    id,
  ];
}

function virtualTimesText({ virtualTimes }: QueueState): string {
  return JSON.stringify(virtualTimes);
}

/** Notes since when everything of a queue is delayed. */
function noteDelay(queue: QueueState, now: number): void {
  const isDelayed = queue.ready === 0 && queue.scheduled > 0;
  if (isDelayed === (queue.delayedSince !== undefined)) return;
  queue.delayedSince = isDelayed ? now : undefined;
  queue.rowChanged = true;
}

/** A configuration, with what is asked of it at every dispatch. */
function configured(config: TaskQueueConfig): Pick<QueueState, "config" | "hasKeyLimits" | "hasKeyWeights"> {
  const keys = [...config.fairnessKeys.values(), ...(config.defaultFairnessKey ? [config.defaultFairnessKey] : [])];
  return {
    config,
    hasKeyLimits: keys.some((key) => key.ratePerSecond !== undefined || key.maxStarted !== undefined),
    hasKeyWeights: keys.some((key) => key.weight !== undefined),
  };
}

interface QueueRow {
  readonly id: number;
  readonly namespace: number;
  readonly name: string;
  readonly kind: TaskQueueKind;
  readonly virtual_times: string;
  readonly closed: number;
  readonly arrival: number;
  readonly asked_rate: number | null;
  readonly delayed_since: number | null;
  readonly config_revision: number;
  readonly config: string | null;
  readonly pause: string | null;
  readonly drain: string | null;
}
