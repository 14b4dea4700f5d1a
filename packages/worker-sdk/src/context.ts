import { AsyncLocalStorage } from "node:async_hooks";
import { type Meter, metrics } from "@opentelemetry/api";
import {
  type Client,
  type Clock,
  type ClosedTask,
  type Duration,
  durationToMs,
  sleep,
  type TaskFailure,
  type TaskKind,
} from "@tq/client";
import { CompleteAsyncError } from "./complete-async-error.ts";
import { type CancellationReason, CancelledFailure } from "./failure.ts";
import type { TaskCache } from "./handler-cache.ts";
import type { Logger } from "./logger.ts";

/** What is known of the attempt that a handler runs. */
export interface TaskInfo {
  readonly taskId: string;
  /** 1, and one more for each redrive or replacement of the task. */
  readonly run: number;
  /** 1 for the first attempt of this run. */
  readonly attempt: number;
  /** Attempts in all, as the retry policy has it; 0 means no limit. */
  readonly maximumAttempts: number;
  readonly namespace: string;
  readonly taskQueue: string;
  readonly kind: TaskKind;
  /** The name that the handler is registered under. */
  readonly type: string;
  readonly headers: Readonly<Record<string, string>>;
  /** 1 (first) to 5. */
  readonly priority: number;
  /** Empty if the task has none. */
  readonly fairnessKey: string;
  /** Empty if the task has none. */
  readonly serialKey: string;
  readonly addedAt: Date | undefined;
  readonly startedAt: Date | undefined;
  /** What this attempt may take, in milliseconds; unset: without limit. */
  readonly startToCloseTimeoutMs: number | undefined;
  /** From one heartbeat to the next, in milliseconds; unset: none are expected. */
  readonly heartbeatTimeoutMs: number | undefined;
  /** When the task as a whole times out; unset: never. */
  readonly scheduleToCloseDeadline: Date | undefined;
  /** What the last attempt's last heartbeat said; `undefined` if it said nothing. */
  readonly heartbeatDetails: unknown;
  /** Why the last attempt failed, if there was one. */
  readonly lastFailure: TaskFailure | undefined;
  /** Set on a workflow task that was added on close. */
  readonly closedTask: ClosedTask | undefined;
  /** Proof of this delivery: what completes it later, from anywhere, after {@link Context.completeAsync}. */
  readonly taskToken: Uint8Array;
  /** Id of the worker, as `tq worker ls` shows it. */
  readonly workerId: string;
  /** Name of the worker's own queue, for what has to run in this very process; unset without the option `processQueue`. */
  readonly processTaskQueue: string | undefined;
}

/** What a {@link Context} is made of. Each is asked for when the handler asks for it. */
export interface ContextParts {
  readonly info: TaskInfo;
  readonly cancellationSignal: AbortSignal;
  readonly log: Logger;
  readonly clock: Clock;
  readonly heartbeat: (details: unknown) => void;
  /** Unset where there is no worker: then the handler cannot have one. */
  readonly client?: Client;
  /** Unset: nothing is ever found in it, and nothing kept. */
  readonly cache?: TaskCache;
}

const noCache: TaskCache = Object.freeze({ get: () => undefined, set: () => {}, delete: () => {} });

const storage = new AsyncLocalStorage<Context>();

/** What a handler can ask and say while it runs. Get it with {@link Context.current}, also deep inside what it calls. */
export class Context {
  readonly #parts: ContextParts;
  #cancelled: Promise<never> | undefined;

  /** Made by the worker. */
  constructor(parts: ContextParts) {
    this.#parts = parts;
  }

  /**
   * What is known of the attempt.
   *
   * @throws ApplicationFailure if something that earlier attempts left behind cannot be decoded. Let it through.
   */
  get info(): TaskInfo {
    return this.#parts.info;
  }

  /**
   * Aborted when the handler should stop; its `reason` is a `CancelledFailure` that says why. Pass it to `fetch`, to child
   * processes and the like. A handler that lets the error through has given way; one that ignores it just goes on.
   */
  get cancellationSignal(): AbortSignal {
    return this.#parts.cancellationSignal;
  }

  /** Rejects with the `CancelledFailure` when the handler should stop, and stays pending otherwise; for `Promise.race`. */
  get cancelled(): Promise<never> {
    if (this.#cancelled === undefined) {
      const signal = this.cancellationSignal;
      this.#cancelled = new Promise((_, reject) => {
        const give = () => reject(signal.reason as Error);
        if (signal.aborted) give();
        else signal.addEventListener("abort", give, { once: true });
      });
      // A handler that asked for it and does not wait for it any more has not forgotten anything.
      this.#cancelled.catch(() => {});
    }
    return this.#cancelled;
  }

  /** Why the handler should stop; unset while it should not. */
  get cancellationReason(): CancellationReason | undefined {
    const reason: unknown = this.cancellationSignal.reason;
    return reason instanceof CancelledFailure ? reason.reason : undefined;
  }

  /** The worker's logger, with the task's fields on every line. */
  get log(): Logger {
    return this.#parts.log;
  }

  /**
   * The worker's client, to add tasks and ask for others. What is added with it carries the trace of this handler on.
   *
   * @throws Error in an environment without a server
   */
  get client(): Client {
    const { client } = this.#parts;
    if (client === undefined) throw new Error("There is no client here: this handler runs without a worker");
    return client;
  }

  /** The OpenTelemetry meter for the handler's own measurements; does nothing unless the process has an SDK registered. */
  get metricMeter(): Meter {
    return metrics.getMeter("@tq/worker-sdk");
  }

  /** What handlers of this worker kept for the task's serial key. */
  get cache(): TaskCache {
    return this.#parts.cache ?? noCache;
  }

  /** The context of the handler that is running here. @throws Error outside of a handler. */
  static current(): Context {
    const context = storage.getStore();
    if (context === undefined) throw new Error("Context.current() was called outside of a handler");
    return context;
  }

  /**
   * Says that the handler is alive, and optionally how far it got: the next attempt, should there be one, finds the last
   * details in `info.heartbeatDetails`. Only needed where the task has a heartbeat timeout or the details are of use; call
   * it as often as you like, the worker sends what is the latest about once a second.
   *
   * @throws TqError `invalid_argument` if the details cannot be serialised, or are over 512 KiB.
   */
  heartbeat(details?: unknown): void {
    this.#parts.heartbeat(details);
  }

  /**
   * Ends the handler without an outcome: somebody else completes the task later, by `info.taskToken`. Never returns; do not
   * catch what it throws. Activities only.
   *
   * @throws CompleteAsyncError always
   */
  completeAsync(): never {
    throw new CompleteAsyncError();
  }

  /** Resolves after a while; rejects with the `CancelledFailure` as soon as the signal aborts. */
  sleep(duration: Duration): Promise<void> {
    return sleep(this.#parts.clock, durationToMs(duration, "duration"), this.cancellationSignal);
  }
}

/** The context of the handler that is running here, or that what runs here was begun by; unset outside of handlers. */
export function contextHere(): Context | undefined {
  return storage.getStore();
}

/** Runs a function, and all that it calls and awaits, with `context` as the current one. */
export function runWithContext<T>(context: Context, run: () => T): T {
  return storage.run(context, run);
}
