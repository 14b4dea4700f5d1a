import type { AsyncCompletionClient } from "./async-completion.ts";
import type { CallOptions } from "./call-options.ts";
import type { Clock, Timer } from "./clock.ts";
import { type Duration, durationToMs } from "./duration.ts";
import { invalidField, toTqError, TqError } from "./errors.ts";
import { type KnownOptions, refuseUnknownOptions } from "./known-options.ts";
import { isRetryable } from "./retry.ts";

/** Options of {@link AsyncCompletionClient.hold}. */
export interface AsyncHoldOptions {
  /**
   * How often a heartbeat goes out, over 0. Default 10 s: a third of the lease that workers have unless it is set otherwise, and of no
   * use to a task with a shorter `heartbeatTimeout`.
   */
  readonly interval?: Duration;
}

/** What a hold needs. */
export interface AsyncHoldParts {
  readonly completion: AsyncCompletionClient;
  readonly taskToken: Uint8Array;
  readonly clock: Clock;
}

const knownOptions: KnownOptions<AsyncHoldOptions> = { interval: true };

/**
 * A task that is worked on elsewhere than in its worker, and stays with its token meanwhile. It ends with the answer, with
 * {@link stop}, or as soon as the task is lost. Until then it keeps the process alive, so end it.
 */
export class AsyncHold {
  readonly taskToken: Uint8Array;
  readonly #parts: AsyncHoldParts;
  readonly #intervalMs: number;
  readonly #cancellation = new AbortController();
  /** Ends what is under way. */
  readonly #ending = new AbortController();
  #details: unknown;
  #timer: Timer | undefined;

  /** Made by {@link AsyncCompletionClient.hold}. */
  constructor(parts: AsyncHoldParts, options: AsyncHoldOptions) {
    refuseUnknownOptions(options, knownOptions);
    const { interval = "10s" } = options;
    this.#intervalMs = durationToMs(interval, "interval");
    if (this.#intervalMs === 0) throw invalidField("interval", "is 0");
    this.#parts = parts;
    this.taskToken = parts.taskToken;
    void this.#beat();
  }

  /**
   * Aborted when work on the task should stop. Its `reason` is a {@link TqError}: of the code `canceled` if somebody asked for
   * that (then {@link reportCancellation}, or complete it all the same), with the reason `LEASE_LOST` if the task is no longer the
   * token's (then there is nothing to tell), or what else the server says that time does not mend.
   */
  get cancellationSignal(): AbortSignal {
    return this.#cancellation.signal;
  }

  /** Says how far the work got; it goes out with the next heartbeat, the latest of several. */
  heartbeat(details: unknown): void {
    this.#details = details;
  }

  /** {@link AsyncCompletionClient.complete}; the task is held until the server has it. */
  complete(result?: unknown, options?: CallOptions): Promise<void> {
    return this.#answer(this.#parts.completion.complete(this.taskToken, result, options));
  }

  /** {@link AsyncCompletionClient.fail}; the task is held until the server has it. */
  fail(error: unknown, options?: CallOptions): Promise<void> {
    return this.#answer(this.#parts.completion.fail(this.taskToken, error, options));
  }

  /** {@link AsyncCompletionClient.reportCancellation}; the task is held until the server has it. */
  reportCancellation(details?: unknown, options?: CallOptions): Promise<void> {
    return this.#answer(this.#parts.completion.reportCancellation(this.taskToken, details, options));
  }

  /** Holds it no longer. Unanswered it is tried again once its lease is over, unless its worker lives. */
  stop(): void {
    this.#ending.abort();
    if (this.#timer !== undefined) this.#parts.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  async #answer(answered: Promise<void>): Promise<void> {
    await answered;
    this.stop();
  }

  /** One heartbeat, and the next one later. Never rejects. */
  async #beat(): Promise<void> {
    const { completion, clock } = this.#parts;
    const { signal } = this.#ending;
    try {
      const reply = await completion.heartbeat(this.taskToken, this.#details, { signal });
      if (reply.cancelRequested && !signal.aborted) this.#abort(canceled(reply.cancelReason));
    } catch (unknown) {
      if (signal.aborted) return;
      const error = toTqError(unknown);
      // A server that is away may still have the task when it is back.
      if (!isRetryable(error)) {
        this.#abort(error);
        this.stop();
      }
    }
    if (!signal.aborted) this.#timer = clock.setTimeout(() => void this.#beat(), this.#intervalMs);
  }

  #abort(reason: TqError): void {
    if (!this.#cancellation.signal.aborted) this.#cancellation.abort(reason);
  }
}

function canceled(reason: string): TqError {
  const message = reason === "" ? "The task is to be canceled" : `The task is to be canceled: ${reason}`;
  return new TqError({ code: "canceled", message });
}
