import { earliest } from "@tq/matching-core";
import type { NextDue } from "@tq/storage";
import type { Parts } from "./transaction.ts";
import { keepEmptyQueueMs } from "./verbs/timed.ts";
import type { Writable } from "./writable.ts";

/** When something is next to be done by time: asked for after each commit, so no part may look far for it. */
export function nextDue(parts: Parts): NextDue {
  const { timers, started, tasks, kept, queues, passes, limits, events, drainedWorkers } = parts;
  const due: Writable<NextDue> = {};
  const promote = earliest(timers.next("ready"), timers.next("resume"), limits.next());
  const expire = earliest(started.nextDue(), timers.next("start"), timers.next("close"));
  const sweep = earliest(
    kept.next(),
    tasks.nextCompleted(),
    tasks.nextSparse(),
    queues.nextRemoval(keepEmptyQueueMs),
    passes.nextPrune,
    limits.nextPrune,
    events.next(),
    drainedWorkers.next(),
  );
  if (promote !== undefined) due.promote = promote;
  if (expire !== undefined) due.expire = expire;
  if (sweep !== undefined) due.sweep = sweep;
  return due;
}
