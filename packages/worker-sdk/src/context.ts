import { AsyncLocalStorage } from "node:async_hooks";
import { type ClosedTask, type Duration, durationToMs, sleep, type TaskFailure, type TaskKind } from "@tq/client";
import type { Clock } from "@tq/client";
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
  /** Proof of this delivery, for calls made by hand. */
  readonly taskToken: Uint8Array;
}

/** What a {@link Context} is made of. */
export interface ContextParts {
  readonly info: TaskInfo;
  readonly cancellationSignal: AbortSignal;
  readonly log: Logger;
  readonly clock: Clock;
  readonly heartbeat: (details: unknown) => void;
}

const storage = new AsyncLocalStorage<Context>();

/** What a handler can ask and say while it runs. Get it with {@link Context.current}, also deep inside what it calls. */
export class Context {
  readonly info: TaskInfo;
  /**
   * Aborted when the handler should stop; its `reason` is a `CancelledFailure` that says why. Pass it to `fetch`, to child
   * processes and the like. A handler that lets the error through has given way; one that ignores it just goes on.
   */
  readonly cancellationSignal: AbortSignal;
  /** The worker's logger, with the task's fields on every line. */
  readonly log: Logger;
  readonly #parts: ContextParts;

  /** Made by the worker. */
  constructor(parts: ContextParts) {
    this.info = parts.info;
    this.cancellationSignal = parts.cancellationSignal;
    this.log = parts.log;
    this.#parts = parts;
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

  /** Resolves after a while; rejects with the `CancelledFailure` as soon as the signal aborts. */
  sleep(duration: Duration): Promise<void> {
    return sleep(this.#parts.clock, durationToMs(duration, "duration"), this.cancellationSignal);
  }
}

/** Runs a function, and all that it calls and awaits, with `context` as the current one. */
export function runWithContext<T>(context: Context, run: () => T): T {
  return storage.run(context, run);
}
