import type { Priority } from "@tq/matching-core";
import type { QueueState } from "./queues.ts";

/** The states that are counted. `waiting` is ready, but behind another task of its serial key, so not placed. */
export const countedStates = ["scheduled", "ready", "waiting", "started", "dead"] as const;
export type CountedState = (typeof countedStates)[number];

/** Tasks of one type and priority, by state. */
export type Counts = Record<CountedState, number>;

/** The counters of one type and priority of a queue, which are a row in the file unless all of them are 0. */
export interface Counter extends Counts {
  readonly queue: QueueState;
  readonly type: string;
  readonly priority: Priority;
  /** Its name among the late rows. */
  readonly key: string;
  /** Neither the file nor the journal has a row of it that was not removed since. */
  isNew: boolean;
  /** Whether the transaction changed it. */
  isChanged: boolean;
}

/** All at 0. */
export function noCounts(): Counts {
  return { scheduled: 0, ready: 0, waiting: 0, started: 0, dead: 0 };
}

/** Whether all are at 0. */
export function isZero(counts: Counts): boolean {
  const { scheduled, ready, waiting, started, dead } = counts;
  return scheduled === 0 && ready === 0 && waiting === 0 && started === 0 && dead === 0;
}

/** The counters of a type and priority, which begin at 0. */
export function counterOf(queue: QueueState, type: string, priority: Priority): Counter {
  let ofType = queue.counts.get(type);
  if (ofType === undefined) {
    // With room for all priorities: one that grows takes more.
    ofType = [undefined, undefined, undefined, undefined, undefined, undefined];
    queue.counts.set(type, ofType);
  }
  const present = ofType[priority];
  if (present !== undefined) return present;
  const { spareCounter } = queue;
  const isSpare = spareCounter?.type === type && spareCounter.priority === priority;
  const counter = isSpare ? spareCounter : newCounter(queue, type, priority);
  if (isSpare) queue.spareCounter = undefined;
  ofType[priority] = counter;
  return counter;
}

function newCounter(queue: QueueState, type: string, priority: Priority): Counter {
  const key = `${queue.id}/${priority}/${type}`;
  return { ...noCounts(), queue, type, priority, key, isNew: true, isChanged: false };
}
