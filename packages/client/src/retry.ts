import { type Clock, sleep } from "./clock.ts";
import { TqError, toTqError } from "./errors.ts";

/** How long to wait between tries, and until when. */
export interface RetryConfig {
  /** Before the second try, in milliseconds. It doubles from one try to the next. */
  readonly initialIntervalMs: number;
  /** Longest wait, in milliseconds. */
  readonly maximumIntervalMs: number;
  /** From the first try to giving up, in milliseconds. 0: no second try. */
  readonly giveUpAfterMs: number;
}

/**
 * The wait after failed try number `failures` (1 for the first): doubling, with half of it drawn at random, so that a
 * thousand callers of a server that has just come back do not all come at once.
 */
export function backoffMs(
  failures: number,
  config: Pick<RetryConfig, "initialIntervalMs" | "maximumIntervalMs">,
  random: () => number,
): number {
  const fullMs = Math.min(config.maximumIntervalMs, config.initialIntervalMs * 2 ** Math.min(failures - 1, 30));
  return fullMs * (0.5 + 0.5 * random());
}

/**
 * Whether the same call may go through if it is simply made again. Every call of tq may be: those that write carry a
 * request id, and the others read. So what is left is whether it makes sense.
 */
export function isRetryable(error: TqError): boolean {
  switch (error.code) {
    case "unavailable":
    case "deadline_exceeded":
      return true;
    // Too much right now: only if the server says when it expects that to change.
    case "resource_exhausted":
      return error.retryAfterMs !== undefined;
    case "canceled":
    case "unknown":
    case "invalid_argument":
    case "not_found":
    case "already_exists":
    case "permission_denied":
    case "failed_precondition":
    case "aborted":
    case "out_of_range":
    case "unimplemented":
    case "internal":
    case "data_loss":
    case "unauthenticated":
      return false;
  }
}

/** What {@link retrying} needs of its surroundings. */
export interface RetryContext {
  readonly clock: Clock;
  /** 0 to 1. */
  readonly random: () => number;
  readonly retry: RetryConfig;
  /** Hears of each error that is followed by another try of the call. */
  readonly onRetry?: (call: string, error: TqError) => void;
}

/** Options of one call that is retried. */
export interface RetryOptions {
  /** Name of the call, for {@link RetryContext.onRetry}. */
  readonly call?: string | undefined;
  /** Ends the waiting too. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Milliseconds since the epoch; after it no try begins but the first. Default: the configured time after the first
   * failure, so that a call which is held open for long has as much of it as any.
   */
  readonly giveUpAtMs?: number | undefined;
  /** Which errors to try again after. Default {@link isRetryable}. */
  readonly retryable?: ((error: TqError) => boolean) | undefined;
}

/** Calls `attempt` until it succeeds, fails for good, or time is up; then throws the last error, saying how often it was tried. */
export async function retrying<T>(
  attempt: () => Promise<T>,
  context: RetryContext,
  options: RetryOptions = {},
): Promise<T> {
  const { clock, random, retry } = context;
  const beganAtMs = clock.now();
  let giveUpAtMs = options.giveUpAtMs;
  const retryable = options.retryable ?? isRetryable;
  for (let tries = 1; ; tries++) {
    try {
      return await attempt();
    } catch (unknown) {
      const error = toTqError(unknown);
      if (options.signal?.aborted === true || !retryable(error)) throw error;
      giveUpAtMs ??= clock.now() + retry.giveUpAfterMs;
      const waitMs = Math.max(backoffMs(tries, retry, random), error.retryAfterMs ?? 0);
      if (clock.now() + waitMs > giveUpAtMs) {
        if (tries === 1) throw error;
        const seconds = ((clock.now() - beganAtMs) / 1000).toFixed(1);
        throw error.with({ message: `${error.message} (Tried ${tries} times in ${seconds} s.)` });
      }
      context.onRetry?.(options.call ?? "", error);
      await waitOrAbort(clock, waitMs, options.signal);
    }
  }
}

/** {@link retrying} of a call that a signal may end: then it rejects with the signal's own reason. */
export async function retryingUntil<T>(
  signal: AbortSignal | undefined,
  attempt: (options: { signal?: AbortSignal }) => Promise<T>,
  context: RetryContext,
  call: string,
): Promise<T> {
  if (signal === undefined) return retrying(() => attempt({}), context, { call });
  try {
    signal.throwIfAborted();
    return await retrying(() => attempt({ signal }), context, { call, signal });
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  }
}

async function waitOrAbort(clock: Clock, waitMs: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(clock, waitMs, signal);
  } catch (cause) {
    throw new TqError({ code: "canceled", message: "Canceled by the caller while waiting to try again", cause });
  }
}
