import { allowedAt, priorities, type Priority } from "@tq/matching-core";
import type { HeldBackKeys, KeyHeldBack, TaskCounts, TaskQueueRecord } from "@tq/storage";
import { rateLimit } from "./key-limits.ts";
import { countedStates, noCounts, type Counts } from "./counters.ts";
import type { QueueState } from "./queues.ts";

/** Describes a queue from its counters. */
export function describe(
  queue: QueueState,
  startedByWorker: ReadonlyMap<string, number>,
  oldestReadyAt: number | undefined,
  now: number,
): TaskQueueRecord {
  const { ratePerSecond = queue.askedRate, burst } = queue.config;
  const limit = rateLimit(ratePerSecond, burst);
  const allowed = limit === undefined ? 0 : allowedAt(limit, queue.arrival);
  const rateLimitedUntil = allowed > now ? allowed : undefined;
  const counts = noCounts();
  const byPriority = new Map<Priority, Counts>();
  const byType = new Map<string, Counts>();
  for (const [type, ofType] of queue.counts) {
    for (const priority of priorities) {
      const one = ofType[priority];
      if (one === undefined) continue;
      const sums = [counts, entry(byPriority, priority), entry(byType, type)];
      for (const state of countedStates) for (const sum of sums) sum[state] += one[state];
    }
  }
  return {
    queue: queue.queue,
    counts: published(counts),
    byPriority: mapValues(byPriority, published),
    byType: mapValues(byType, published),
    waitForSerialKey: counts.waiting,
    placedByType: mapValues(byType, (ofType) => ofType.ready),
    startedByWorker,
    config: queue.config,
    ...(queue.pause !== undefined && { pause: queue.pause }),
    ...(queue.drain !== undefined && { drain: queue.drain }),
    ...(rateLimitedUntil !== undefined && { rateLimitedUntil }),
    heldBackKeys: { rate: heldBack(queue, "rate"), "max-started": heldBack(queue, "max-started") },
    ...(oldestReadyAt !== undefined && { oldestReadyAt }),
    ...(queue.delayedSince !== undefined && { delayedSince: queue.delayedSince }),
  };
}

function heldBack(queue: QueueState, why: KeyHeldBack): HeldBackKeys {
  const { keys, tasks, since } = queue.heldBack[why];
  return keys > 0 && since !== undefined ? { keys, tasks, since } : { keys, tasks };
}

/** What the contract counts: those that wait for their serial key are ready. */
function published(counts: Counts): TaskCounts {
  const { scheduled, ready, waiting, started, dead } = counts;
  return { scheduled, ready: ready + waiting, started, dead };
}

function entry<Key>(map: Map<Key, Counts>, key: Key): Counts {
  let counts = map.get(key);
  if (counts === undefined) map.set(key, (counts = noCounts()));
  return counts;
}

function mapValues<Key, From, To>(map: ReadonlyMap<Key, From>, to: (value: From) => To): Map<Key, To> {
  return new Map([...map].map(([key, value]) => [key, to(value)]));
}
