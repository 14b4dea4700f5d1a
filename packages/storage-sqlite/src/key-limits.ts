/*
 * Limits of single fairness keys: how fast each is dispatched, and how many of its tasks are started at once. A key that
 * has used them up is held back: its lanes are blocked (see order/), so that it costs nothing until its rate allows
 * another dispatch, or one of its tasks ends.
 */
import { allowedAt, changeOfArrival, defaultBurst, dispatchedAt, type RateLimit } from "@tq/matching-core";
import type { FairnessKeyRecord, KeyHeldBack, TaskQueueConfig } from "@tq/storage";
import type Database from "better-sqlite3";
import { QueueCache } from "./queue-cache.ts";
import type { QueueState } from "./queues.ts";
import { steady } from "./steady.ts";
import type { Writes } from "./journal/writes.ts";
import { Soonest } from "./soonest.ts";

/** How often rows of keys that are refilled are looked for. */
const pruneEveryMs = 10_000;
const maxCached = 50_000;

interface KeyLimit {
  readonly queue: QueueState;
  readonly key: string;
  /** Theoretical arrival time of its rate limit. */
  arrival: number;
  heldBack: KeyHeldBack | undefined;
  /** Since when it is held back. */
  since: number;
  /** How many of its tasks stand in its lanes, while it is held back. */
  tasks: number;
  /** When its rate allows another dispatch, if that is why. */
  wakeAt: number | undefined;
}

/** Why a key may not be dispatched now, and when it may again by time alone. */
export interface HoldBack {
  readonly why: KeyHeldBack;
  readonly wakeAt: number | undefined;
}

/** The limits of a key, if it has any that hold back. Its own win over the default, as a whole. */
export function limitsOf(queue: QueueState, key: string): FairnessKeyRecord | undefined {
  if (!queue.hasKeyLimits) return undefined;
  const { fairnessKeys, defaultFairnessKey } = queue.config;
  const limits = fairnessKeys.get(key) ?? defaultFairnessKey;
  return limits?.ratePerSecond === undefined && limits?.maxStarted === undefined ? undefined : limits;
}

/** The weight that an operator gave a key; undefined: its tasks say. */
export function weightOf(queue: QueueState, key: string): number | undefined {
  if (!queue.hasKeyWeights) return undefined;
  const { fairnessKeys, defaultFairnessKey } = queue.config;
  return (fairnessKeys.get(key) ?? defaultFairnessKey)?.weight;
}

/** A rate and its burst; undefined: without limit. */
export function rateLimit(rate: number | undefined, burst: number | undefined): RateLimit | undefined {
  return rate === undefined ? undefined : { rate, burst: burst ?? defaultBurst(rate) };
}

/** What is known of limited keys. */
export class KeyLimits {
  readonly #cache = new QueueCache<KeyLimit>(maxCached);
  #dirty = new Set<KeyLimit>();
  #pruneAt: number | undefined;
  readonly #nextWake = new Soonest(() => this.#sql.next.get());
  readonly #sql;

  constructor(db: Database.Database, writes: Writes) {
    this.#sql = {
      get: db.prepare<
        [number, string],
        { arrival: number; held_back: KeyHeldBack | null; since: number | null; wake_at: number | null }
      >("select arrival, held_back, since, wake_at from key_limit where queue = ? and key = ?"),
      set: writes.prepare("insert or replace into key_limit values(?, ?, ?, ?, ?, ?)"),
      delete: writes.prepare("delete from key_limit where queue = ? and key = ?"),
      tasks: db
        .prepare<[number, string], number>(
          "select coalesce(sum(tasks), 0) from lane where queue = ? and key = ? and blocked = 1",
        )
        .pluck(),
      due: db.prepare<[number, number], { queue: number; key: string }>(
        steady("select queue, key from key_limit where wake_at <= ? order by wake_at, queue, key limit ?"),
      ),
      next: db
        .prepare<[], number>("select wake_at from key_limit where wake_at is not null order by wake_at limit 1")
        .pluck(),
      // As the core's `arrivalAfterChange` has it.
      change: writes.prepare(
        "update key_limit set arrival = min(?, ? + (arrival - ?) * ?) where arrival > ? and queue = ? and key = ?",
      ),
      changeOthers: writes.prepare(
        `update key_limit set arrival = min(?, ? + (arrival - ?) * ?)
         where arrival > ? and queue = ? and key not in (select value from json_each(?))`,
      ),
      wakeAll: writes.prepare("update key_limit set wake_at = ? where queue = ? and held_back is not null"),
      prune: writes.prepare(
        steady(`delete from key_limit where (queue, key) in
           (select queue, key from key_limit where held_back is null and arrival <= ? limit ?)`),
      ),
      anyIdle: db.prepare<[], number>("select 1 from key_limit where held_back is null limit 1").pluck(),
    };
  }

  /** Forgets what is in memory. */
  reset(now: number): void {
    this.#cache.clear();
    if (this.#dirty.size > 0) this.#dirty = new Set();
    this.#pruneAt = now + pruneEveryMs;
    this.#nextWake.forget();
  }

  /** Lets go of what is in memory if it is too much. Between transactions only. */
  evict(): void {
    this.#cache.evict();
  }

  /** The queue is gone, or let go of. */
  forget(queueId: number): void {
    this.#cache.forget(queueId);
    this.#nextWake.forget();
  }

  /** Why the key is held back now; undefined: it is not. */
  heldBack(queue: QueueState, key: string): KeyHeldBack | undefined {
    return queue.heldBack["rate"].keys + queue.heldBack["max-started"].keys === 0
      ? undefined
      : this.#entry(queue, key).heldBack;
  }

  /** Whether these limits allow another dispatch; if not, why, and until when at least. */
  check(queue: QueueState, key: string, limits: FairnessKeyRecord, started: number, now: number): HoldBack | undefined {
    if (limits.maxStarted !== undefined && started >= limits.maxStarted) {
      return { why: "max-started", wakeAt: undefined };
    }
    const rate = rateLimit(limits.ratePerSecond, limits.burst);
    if (rate === undefined) return undefined;
    const wakeAt = allowedAt(rate, this.#entry(queue, key).arrival);
    return wakeAt > now ? { why: "rate", wakeAt } : undefined;
  }

  /** A task of the key was dispatched. */
  dispatched(queue: QueueState, key: string, limits: FairnessKeyRecord, now: number): void {
    const rate = rateLimit(limits.ratePerSecond, limits.burst);
    if (rate === undefined) return;
    const entry = this.#entry(queue, key);
    entry.arrival = dispatchedAt(rate, entry.arrival, now);
    this.#dirty.add(entry);
  }

  /** Remembers that the key is held back, or why it now is; undefined: that it is no longer. */
  setHeldBack(queue: QueueState, key: string, held: HoldBack | undefined, now: number): void {
    const entry = this.#entry(queue, key);
    const before = entry.heldBack;
    if (before !== undefined) {
      queue.heldBack[before].keys -= 1;
      queue.heldBack[before].tasks -= entry.tasks;
    }
    if (held === undefined) entry.tasks = 0;
    else {
      const count = queue.heldBack[held.why];
      if (count.keys === 0) count.since = now;
      count.keys += 1;
      count.tasks += entry.tasks;
      if (before === undefined) entry.since = now;
    }
    entry.heldBack = held?.why;
    entry.wakeAt = held?.wakeAt;
    this.#dirty.add(entry);
  }

  /** So many more tasks stand in the lanes of a key, or fewer. Counts while it is held back. */
  heldTasks(queue: QueueState, key: string, by: number): void {
    const entry = this.#entry(queue, key);
    if (entry.heldBack === undefined) return;
    entry.tasks += by;
    queue.heldBack[entry.heldBack].tasks += by;
  }

  /**
   * The configuration has changed (what is in lanes is written): what each key has used of its rate is used of its new one (see the core's
   * `arrivalAfterChange`), and those that are held back are to be looked at again.
   */
  reconfigured(queue: QueueState, before: TaskQueueConfig, now: number): void {
    this.flush(now);
    const { fairnessKeys } = queue.config;
    const listed = new Set([...before.fairnessKeys.keys(), ...fairnessKeys.keys()]);
    for (const key of listed) {
      const from = before.fairnessKeys.get(key) ?? before.defaultFairnessKey;
      const change = this.#change(from, fairnessKeys.get(key) ?? queue.config.defaultFairnessKey, now);
      if (change !== undefined) this.#sql.change.run(...change, now, queue.id, key);
    }
    const change = this.#change(before.defaultFairnessKey, queue.config.defaultFairnessKey, now);
    if (change !== undefined) this.#sql.changeOthers.run(...change, now, queue.id, JSON.stringify([...listed]));
    this.#nextWake.forget();
    this.#sql.wakeAll.run(now, queue.id);
    this.#cache.forget(queue.id);
  }

  /** Keys whose time has come. What is to be done about each is the caller's; do it, or they come again. */
  due(now: number, limit: number): readonly { readonly queue: number; readonly key: string }[] {
    return this.#sql.due.all(now, limit);
  }

  /** When the next key's time comes. */
  next(): number | undefined {
    return this.#nextWake.get();
  }

  /** Writes what the transaction changed. */
  flush(now: number): void {
    if (this.#dirty.size > 0) this.#nextWake.forget();
    for (const { queue, key, arrival, heldBack, since, wakeAt } of this.#dirty) {
      if (heldBack === undefined && arrival <= now) {
        this.#sql.delete.run(queue.id, key);
        continue;
      }
      const held = heldBack === undefined ? [null, null, null] : [heldBack, since, wakeAt ?? null];
      this.#sql.set.run(queue.id, key, arrival, ...held);
      this.#pruneAt ??= now + pruneEveryMs;
    }
    if (this.#dirty.size > 0) this.#dirty = new Set();
  }

  /** When to prune next; undefined: there is nothing to prune. */
  get nextPrune(): number | undefined {
    return this.#pruneAt;
  }

  /** If it is time: removes up to `limit` rows of keys that are refilled. Answers how many went. */
  prune(now: number, limit: number): number {
    if (this.#pruneAt === undefined || this.#pruneAt > now) return 0;
    const removed = this.#sql.prune.run(now, limit);
    if (removed === limit) return removed;
    this.#pruneAt = this.#sql.anyIdle.get() === undefined ? undefined : now + pruneEveryMs;
    return removed;
  }

  /** What becomes of arrival times as limits change, in the order in which the statements take it. */
  #change(
    from: FairnessKeyRecord | undefined,
    to: FairnessKeyRecord | undefined,
    now: number,
  ): readonly [number, number, number, number] | undefined {
    const [before, after] = [from, to].map((limits) => rateLimit(limits?.ratePerSecond, limits?.burst));
    if (after === undefined) return undefined;
    const change = changeOfArrival(before, after, now);
    return [change.most, change.at, change.from, change.factor];
  }

  #entry(queue: QueueState, key: string): KeyLimit {
    let entry = this.#cache.get(queue, 0, key);
    if (entry === undefined) {
      const row = this.#sql.get.get(queue.id, key);
      entry = {
        queue,
        key,
        arrival: row?.arrival ?? 0,
        heldBack: row?.held_back ?? undefined,
        since: row?.since ?? 0,
        tasks: row?.held_back == null ? 0 : (this.#sql.tasks.get(queue.id, key) ?? 0),
        wakeAt: row?.wake_at ?? undefined,
      };
      this.#cache.set(queue, 0, key, entry);
    }
    return entry;
  }
}
