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
    earliest(kept.next(), tasks.nextCompleted(), tasks.nextSparse()),
    earliest(queues.nextRemoval(keepEmptyQueueMs), passes.nextPrune, limits.nextPrune),
    earliest(events.next(), drainedWorkers.next(), undefined),
  );
  if (promote !== undefined) due.promote = promote;
  if (expire !== undefined) due.expire = expire;
  if (sweep !== undefined) due.sweep = sweep;
  return due;
}

function earliest(a: number | undefined, b: number | undefined, c: number | undefined): number | undefined {
  const at = Math.min(a ?? Infinity, b ?? Infinity, c ?? Infinity);
  return at === Infinity ? undefined : at;
}
