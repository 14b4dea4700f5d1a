import { type Clock, sleep, toTqError, type TqError, type TqErrorCode } from "@tq/client";
import { backoffMs, isRetryable } from "@tq/client/internal";

/** The calls of a worker. */
export type CallName =
  | "PollTasks"
  | "RespondTasks"
  | "RenewLeases"
  | "RenewLeases (held open)"
  | "HeartbeatTasks"
  | "ShutdownWorker";

/** What a link needs. */
export interface ServerLinkOptions {
  readonly clock: Clock;
  /** 0 to 1. */
  readonly random: () => number;
  readonly report: (event: LinkEvent) => void;
}

/** What changed about a call: it began to fail; one that failed was answered; or one that failed is not made again for now. */
export type LinkEvent =
  | { readonly kind: "failed"; readonly call: CallName; readonly message: string }
  | { readonly kind: "answered" | "dropped"; readonly call: CallName };

/** Quick enough that a restart of the server is hardly felt, slow enough that a server which is down is left alone. */
const backoff = { initialIntervalMs: 100, maximumIntervalMs: 5_000 };

/** Errors that no waiting mends: something about the worker, or about where it was pointed, is wrong. */
const lasting: ReadonlySet<TqErrorCode> = new Set([
  "invalid_argument",
  "not_found",
  "already_exists",
  "permission_denied",
  "unauthenticated",
  "failed_precondition",
  "out_of_range",
  "unimplemented",
]);

/** Whether an error is one that waiting does not mend. */
export function isLasting(error: TqError): boolean {
  return lasting.has(error.code);
}

/** Whether a call was too large. (A server that only has too much to do says when to come back.) */
export function isTooLarge(error: TqError): boolean {
  return error.code === "resource_exhausted" && error.retryAfterMs === undefined;
}

/** A call to insist on. */
export interface InsistOptions<T> {
  readonly attempt: () => Promise<T>;
  readonly givesUpOn: (error: TqError) => boolean;
  readonly signal: AbortSignal;
}

/**
 * How some of the worker's calls fare. It makes a call until it is answered, backing off with jitter; tells when calls
 * begin to fail and when they go through again; and lets those that back off try at once when one of the failing calls
 * has gone through.
 */
export class ServerLink {
  readonly #options: ServerLinkOptions;
  readonly #failing = new Set<CallName>();
  /** Calls that were answered at least once. */
  readonly #answered = new Set<CallName>();
  #back = new AbortController();

  constructor(options: ServerLinkOptions) {
    this.#options = options;
  }

  /** Whether a call of this name was ever answered. */
  hasAnswered(call: CallName): boolean {
    return this.#answered.has(call);
  }

  /** Makes a call until it is answered, however long that takes, or until `signal` aborts or an error is one to give up on. */
  async insist<T>(call: CallName, options: InsistOptions<T>): Promise<T> {
    const { attempt, givesUpOn, signal } = options;
    for (let failures = 1; ; failures++) {
      try {
        const answer = await attempt();
        this.succeeded(call);
        return answer;
      } catch (unknown) {
        const error = toTqError(unknown);
        if (signal.aborted || givesUpOn(error)) throw error;
        this.failed(call, error);
        await this.waitToRetry(failures, error, signal);
        if (signal.aborted) throw error;
      }
    }
  }

  /** A call was answered. */
  succeeded(call: CallName): void {
    this.#answered.add(call);
    if (!this.#failing.delete(call)) return;
    this.back();
    this.#options.report({ kind: "answered", call });
  }

  /** A call failed. */
  failed(call: CallName, error: TqError): void {
    if (this.#failing.has(call)) return;
    this.#failing.add(call);
    this.#options.report({ kind: "failed", call, message: error.message });
  }

  /** A call that failed is not going to be made again for now, since there is no need. */
  dropped(call: CallName): void {
    if (this.#failing.delete(call)) this.#options.report({ kind: "dropped", call });
  }

  /** The server is back: calls that back off are made again at once. */
  back(): void {
    const back = this.#back;
    this.#back = new AbortController();
    back.abort();
  }

  /** The wait after failure number `failures`; shorter if a call that failed has gone through meanwhile, or `signal` aborts. */
  async waitToRetry(failures: number, error: TqError, signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#options;
    const waitMs = Math.max(backoffMs(failures, backoff, random), isRetryable(error) ? (error.retryAfterMs ?? 0) : 0);
    try {
      await sleep(clock, waitMs, AbortSignal.any([signal, this.#back.signal]));
    } catch {
      // Back, or over: what is tried next tells.
    }
  }
}
