import type { LimitsRecord } from "@tq/storage";
import { limitsOf, rateLimit } from "../key-limits.ts";
import { allowedAt, arrivalAfterChange, dispatchedAt, liveWorkerMs, type RateLimit } from "@tq/matching-core";
import type { KeyGate } from "../order/claim.ts";
import { isPaused } from "../queue-settings.ts";
import type { QueueState } from "../queues.ts";
import type { Transaction } from "../transaction.ts";

/** What a claim of a queue may not go beyond. */
export interface QueueGate {
  /** When the queue may dispatch again, if not now; Infinity: not by time alone. */
  closedUntil(): number | undefined;
  /** A task was dispatched. */
  dispatched(key: string): void;
  readonly keys: KeyGate | undefined;
}

/** The limits of a queue at work. Undefined: it has none, which is most. */
export function gateOf(tx: Transaction, queue: QueueState, askedRate: number | undefined): QueueGate | undefined {
  const { parts, now } = tx;
  const { config, pause, hasKeyLimits } = queue;
  const { rate, mayEndAt } = effectiveRate(tx, queue, askedRate);
  const { maxStarted } = config;
  const paused = isPaused(pause, now);
  if (!paused && rate === undefined && maxStarted === undefined && !hasKeyLimits) return undefined;
  return {
    closedUntil() {
      if (paused) return Infinity;
      if (maxStarted !== undefined && queue.started >= maxStarted) return Infinity;
      if (rate === undefined) return undefined;
      const at = allowedAt(rate, queue.arrival);
      return at > now ? Math.min(at, mayEndAt) : undefined;
    },
    dispatched(key) {
      if (rate !== undefined) {
        queue.arrival = dispatchedAt(rate, queue.arrival, now);
        parts.queues.changed(queue);
      }
      const limits = limitsOf(queue, key);
      if (limits !== undefined) parts.limits.dispatched(queue, key, limits, now);
    },
    keys: hasKeyLimits ? { now, closed: (key) => whyClosed(tx, queue, key) } : undefined,
  };
}

/** The queue's rate is another one now. */
export function rateChanged(
  tx: Transaction,
  queue: QueueState,
  from: RateLimit | undefined,
  to: RateLimit | undefined,
): void {
  if (to === undefined) return;
  queue.arrival = arrivalAfterChange(from, to, queue.arrival, tx.now);
  tx.parts.queues.changed(queue);
}

/** The operator's rate wins, else the smallest that live workers ask for. `mayEndAt`: then it is to be looked at again. */
function effectiveRate(
  tx: Transaction,
  queue: QueueState,
  askedRate: number | undefined,
): { readonly rate: RateLimit | undefined; readonly mayEndAt: number } {
  const { ratePerSecond, burst }: LimitsRecord = queue.config;
  if (ratePerSecond !== undefined) return { rate: rateLimit(ratePerSecond, burst), mayEndAt: Infinity };
  // Until every worker that lives had the time to call again, what they asked for before the start counts, too.
  const calledAgainBy = tx.openedAt + liveWorkerMs;
  const before = tx.now < calledAgainBy ? queue.askedRate : undefined;
  const asked = Math.min(askedRate ?? Infinity, before ?? Infinity);
  const rate = asked === Infinity ? undefined : asked;
  if (rate !== queue.askedRate) {
    rateChanged(tx, queue, rateLimit(queue.askedRate, burst), rateLimit(rate, burst));
    queue.askedRate = rate;
    tx.parts.queues.changed(queue);
  }
  return { rate: rateLimit(rate, burst), mayEndAt: before === undefined ? Infinity : calledAgainBy };
}

function whyClosed(tx: Transaction, queue: QueueState, key: string): ReturnType<KeyGate["closed"]> {
  const limits = limitsOf(queue, key);
  if (limits === undefined) return undefined;
  const { limits: keyLimits, started } = tx.parts;
  return keyLimits.check(queue, key, limits, started.countOfKey(queue.id, key), tx.now);
}

/** A task of the queue is no longer started: another one may have a place now. */
export function startedEnded(tx: Transaction, queue: QueueState, key: string): void {
  if (queue.config.maxStarted !== undefined) tx.touch(queue);
  if (tx.parts.limits.heldBack(queue, key) === "max-started") lookAgain(tx, queue, key);
}

/** Lets go of a key that is held back, if its limits allow it; else notes why they do not. */
function lookAgain(tx: Transaction, queue: QueueState, key: string): void {
  const { limits, order } = tx.parts;
  if (limits.heldBack(queue, key) === undefined) return;
  const closed = whyClosed(tx, queue, key);
  if (closed !== undefined) {
    limits.setHeldBack(queue, key, closed, tx.now);
    return;
  }
  order.letGo(queue, key, tx.now);
  tx.touch(queue);
}

/** Up to `limit` keys whose rate allows another dispatch go on. */
export function letKeysGoOn(tx: Transaction, limit: number): void {
  const { limits, queues } = tx.parts;
  for (const { queue, key } of limits.due(tx.now, limit)) lookAgain(tx, queues.byId(queue), key);
}
