import type { NextDue } from "@tq/storage";
import type { Parts } from "./transaction.ts";
import { keepEmptyQueueMs } from "./verbs/timed.ts";

/** When something is next to be done by time: asked for after each commit, so no part may look far for it. */
export function nextDue(parts: Parts): NextDue {
  const { timers, started, tasks, kept, queues, passes, limits, events, drainedWorkers } = parts;
  const promotes = [timers.next("ready"), timers.next("resume"), limits.next()].filter((at) => at !== undefined);
  const expires = [started.nextDue(), timers.next("start"), timers.next("close")].filter((at) => at !== undefined);
  const sweeps = [
    kept.next(),
    tasks.nextCompleted(),
    tasks.nextSparse(),
    queues.nextRemoval(keepEmptyQueueMs),
    passes.nextPrune,
    limits.nextPrune,
    events.next(),
    drainedWorkers.next(),
  ].filter((at) => at !== undefined);
  return {
    ...(promotes.length > 0 && { promote: Math.min(...promotes) }),
    ...(expires.length > 0 && { expire: Math.min(...expires) }),
    ...(sweeps.length > 0 && { sweep: Math.min(...sweeps) }),
  };
}
