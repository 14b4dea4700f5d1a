import type { TaskQueueKind } from "./task-queue.ts";

/** When and how often a failed attempt is tried again. Every field has its default: see {@link defaultRetryPolicy}. */
export interface RetryPolicy {
  /** Wait after the first failed attempt. */
  readonly initialIntervalMs: number;
  /** Factor from one wait to the next, at least 1. */
  readonly backoffCoefficient: number;
  /** Longest wait. */
  readonly maximumIntervalMs: number;
  /** Attempts in all, the first included. 0 means no limit. */
  readonly maximumAttempts: number;
  /** Failure types that are never tried again, compared letter for letter. */
  readonly nonRetryableFailureTypes: readonly string[];
  /** Share of each wait that is drawn at random, 0 to 1. */
  readonly jitter: number;
}

const forActivities: RetryPolicy = {
  initialIntervalMs: 1_000,
  backoffCoefficient: 2,
  maximumIntervalMs: 100_000,
  maximumAttempts: 25,
  nonRetryableFailureTypes: [],
  jitter: 0.1,
};
const forWorkflowTasks: RetryPolicy = { ...forActivities, maximumAttempts: 0 };

/**
 * The policy of a task that brings none. Activities end after 25 attempts, which is about half an hour with the other
 * defaults; a workflow task has nobody who would look after it, so it is tried without limit.
 */
export function defaultRetryPolicy(kind: TaskQueueKind): RetryPolicy {
  return kind === "activity" ? forActivities : forWorkflowTasks;
}

/** What the retry rules need to know of a failure. */
export interface RetryableFailure {
  readonly type: string;
  readonly nonRetryable: boolean;
  /** Overrides the policy's wait. */
  readonly nextRetryDelayMs?: number;
}

/** What follows a failed attempt. */
export type RetryDecision =
  | { readonly next: "retry"; readonly delayMs: number }
  | { readonly next: "close"; readonly why: "non-retryable" | "attempts-used-up" };

/**
 * Decides what follows a failed attempt.
 *
 * @param attemptsUsed attempts used in this run, the failed one included; at least 1
 * @param random a number in [0, 1), which the caller draws
 */
export function decideRetry(
  policy: RetryPolicy,
  attemptsUsed: number,
  failure: RetryableFailure,
  random: number,
): RetryDecision {
  if (failure.nonRetryable || policy.nonRetryableFailureTypes.includes(failure.type)) {
    return { next: "close", why: "non-retryable" };
  }
  if (policy.maximumAttempts > 0 && attemptsUsed >= policy.maximumAttempts) {
    return { next: "close", why: "attempts-used-up" };
  }
  if (failure.nextRetryDelayMs !== undefined) return { next: "retry", delayMs: failure.nextRetryDelayMs };
  return { next: "retry", delayMs: backoffMs(policy, attemptsUsed, random) };
}

/** The wait after the n-th failed attempt (n from 1), jitter taken off, in whole milliseconds. */
export function backoffMs(policy: RetryPolicy, failedAttempts: number, random: number): number {
  // The power overflows to Infinity after some thousand attempts, and 0 times that is no number.
  const factor = Math.min(policy.backoffCoefficient ** (failedAttempts - 1), Number.MAX_VALUE);
  const capped = Math.min(policy.initialIntervalMs * factor, policy.maximumIntervalMs);
  return Math.round(capped * (1 - policy.jitter * random));
}

/** How long an attempt may take that says nothing of it: an hour; one of a workflow task, which only decides, 10 s. */
export function defaultStartToCloseMs(kind: TaskQueueKind): number {
  return kind === "activity" ? 3_600_000 : 10_000;
}
