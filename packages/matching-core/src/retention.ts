import { isDead, type ClosedState } from "./closing.ts";

/** How long a completed or canceled task is kept, unless the task or its queue says otherwise. */
export const completedRetentionMs = 3_600_000;
/** How long a dead task is kept: long enough for somebody to look at it and redrive it. */
export const deadRetentionMs = 14 * 24 * 3_600_000;
/** How long the answer to a request id is kept. */
export const requestRetentionMs = 600_000;
/** How many failed attempts are kept with a task. */
export const failedAttemptsKept = 10;

/** How long events are kept: what operators did. */
export const eventRetentionMs = 90 * 24 * 3_600_000;

/** How long a queue keeps its closed tasks; undefined: as long as by default. */
export interface QueueRetention {
  readonly completedRetentionMs?: number;
  readonly deadRetentionMs?: number;
}

/** How long a task is kept that closed so; 0 removes it at once. */
export function retentionMs(state: ClosedState, ofTask: number | undefined, ofQueue: QueueRetention): number {
  if (isDead(state)) return ofTask ?? ofQueue.deadRetentionMs ?? deadRetentionMs;
  return ofTask ?? ofQueue.completedRetentionMs ?? completedRetentionMs;
}
