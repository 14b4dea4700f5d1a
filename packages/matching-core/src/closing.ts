import { decideRetry, type RetryableFailure, type RetryPolicy } from "./retry.ts";

/** How a task closed. */
export type ClosedState = "completed" | "failed" | "timed-out" | "canceled";
/** Where an open task is. */
export type OpenState = "scheduled" | "ready" | "started";
/** Where a task is in its life. */
export type TaskState = OpenState | ClosedState;

/** Dead: closed as failed or timed out, kept, and can be redriven. */
export function isDead(state: ClosedState): boolean {
  return state === "failed" || state === "timed-out";
}

/** The types of failure that the server itself gives. */
export const serverFailure = {
  workerLost: "WorkerLost",
  scheduleToStart: "ScheduleToStart",
  startToClose: "StartToClose",
  scheduleToClose: "ScheduleToClose",
  heartbeat: "Heartbeat",
  /** Came back unconfirmed too often in a row. */
  undelivered: "Undelivered",
  /** Its worker released it to its fallback queue, and it has none. */
  noFallback: "NoFallback",
  /** Canceled, and its worker did not say more. The message is the reason that was given. */
  canceled: "Canceled",
} as const;

/** What a started task knows that decides what follows its attempt. */
export interface Attempted {
  /** Attempts used in this run before the present one. */
  readonly attemptsUsed: number;
  readonly cancelRequested: boolean;
  readonly retryPolicy: RetryPolicy;
}

/** What follows an attempt that failed. */
export type AfterFailure =
  | { readonly next: "closed"; readonly state: ClosedState }
  /** Placed anew once `at` has come. */
  | { readonly next: "scheduled"; readonly at: number };

/** What follows an attempt that was given back. */
export type AfterReturn =
  | { readonly next: "closed"; readonly state: ClosedState }
  /** Ready at once, at its old place; the attempt does not count. */
  | { readonly next: "old-place" };

/**
 * An attempt failed, its lease expired or one of its timeouts ended it: one rule for all three.
 *
 * @param ending what the task closes as if this was its last attempt: timed out only where a timeout ended it
 */
export function afterFailure(
  task: Attempted,
  failure: RetryableFailure,
  ending: "failed" | "timed-out",
  now: number,
  random: number,
): AfterFailure {
  // A task whose cancel was asked for is never started again.
  if (task.cancelRequested) return { next: "closed", state: "canceled" };
  const decision = decideRetry(task.retryPolicy, task.attemptsUsed + 1, failure, random);
  if (decision.next === "close") return { next: "closed", state: ending };
  return { next: "scheduled", at: now + decision.delayMs };
}

/** An attempt was given back unrun, or never arrived. */
export function afterReturn(task: Pick<Attempted, "cancelRequested">): AfterReturn {
  return task.cancelRequested ? { next: "closed", state: "canceled" } : { next: "old-place" };
}

/** Id of the workflow task that is added when a task closes. */
export function onCloseTaskId(id: string, run: number): string {
  return `${id}/closed/${run}`;
}
