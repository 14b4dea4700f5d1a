import { EventEmitter } from "node:events";
import { type Client, decodePayload, encodePayload } from "@tq/client";
import {
  invalidField,
  type KnownOptions,
  refuseUnknownOptions,
  requireRecord,
  shown,
  withMethods,
} from "@tq/client/internal";
import {
  type CancellationReason,
  CancelledFailure,
  Context,
  type Logger,
  runWithContext,
  type TaskInfo,
} from "@tq/worker-sdk";
import { ManualClock, requireManualClock } from "./manual-clock.ts";

/** What a {@link MockActivityEnvironment} tells. */
export interface MockActivityEvents extends Record<"heartbeat", [details: unknown]> {
  /** The handler said that it is alive; with the details as the next attempt would find them. */
  heartbeat: [details: unknown];
}

/** What can be set on a {@link MockActivityEnvironment}, apart from what the handler is told of its task. */
export interface MockActivityEnvironmentOptions {
  /** The time of `Context.sleep`. Default: a clock of its own, which stands still until it is moved. */
  readonly clock?: ManualClock;
  /** What the handler gets as `Context.current().client`. Default: none, and asking for it is an error. */
  readonly client?: Client;
  /** Gets what the handler logs. Default: nothing is done with it. */
  readonly log?: Logger;
}

const mockOptions: KnownOptions<MockActivityEnvironmentOptions> = { clock: true, client: true, log: true };

const reasons: Readonly<Record<CancellationReason, true>> = {
  CANCEL_REQUESTED: true,
  TIMED_OUT: true,
  LEASE_LOST: true,
  WORKER_SHUTDOWN: true,
};

const silent: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** What a handler in a {@link MockActivityEnvironment} is told of its task, unless the test says otherwise. */
export const defaultActivityInfo: TaskInfo = Object.freeze({
  taskId: "test-task",
  run: 1,
  attempt: 1,
  maximumAttempts: 25,
  namespace: "default",
  taskQueue: "test",
  kind: "activity",
  type: "unknown",
  headers: {},
  priority: 3,
  fairnessKey: "",
  serialKey: "",
  addedAt: new Date(Date.UTC(2026, 0, 1)),
  startedAt: new Date(Date.UTC(2026, 0, 1)),
  startToCloseTimeoutMs: 3_600_000,
  heartbeatTimeoutMs: undefined,
  scheduleToCloseDeadline: undefined,
  heartbeatDetails: undefined,
  lastFailure: undefined,
  closedTask: undefined,
  taskToken: new Uint8Array(),
  workerId: "test-worker",
  processTaskQueue: undefined,
});

/**
 * Runs one activity by itself, without worker and server: with the attempt, the heartbeat details and the rest that a test
 * wants it to find, a clock that the test moves, and a cancel when the test says so. For one attempt; make another one for the
 * next.
 */
export class MockActivityEnvironment extends EventEmitter<MockActivityEvents> {
  /** What the handler gets from `Context.current()`. */
  readonly context: Context;
  /** Moves the handler's `Context.sleep`. */
  readonly clock: ManualClock;
  readonly #canceling = new AbortController();
  readonly #heartbeats: unknown[] = [];

  /**
   * @param info what differs from {@link defaultActivityInfo}
   * @throws TqError `invalid_argument` naming a part of it that there is not, or an option that is wrong.
   */
  constructor(info: Partial<TaskInfo> = {}, options: MockActivityEnvironmentOptions = {}) {
    super();
    requireRecord(info, "info");
    refuseUnknownOptions(options, mockOptions);
    requireManualClock(options.clock);
    const { clock = new ManualClock(), client, log = silent } = options;
    if (client !== undefined) withMethods(client, "client", ["close"]);
    withMethods(log, "log", ["debug", "info", "warn", "error"]);
    for (const name in info)
      if (!Object.hasOwn(defaultActivityInfo, name)) throw invalidField(name, "is no part of a task's info");
    this.clock = clock;
    this.context = new Context({
      info: { ...defaultActivityInfo, ...info },
      cancellationSignal: this.#canceling.signal,
      log,
      clock,
      heartbeat: (details) => this.#heartbeat(details),
      ...(client !== undefined && { client }),
    });
  }

  /** The details of all heartbeats so far, as the next attempt would find them; the last one is what it would get. */
  get heartbeats(): readonly unknown[] {
    return this.#heartbeats;
  }

  /**
   * Runs a function as the handler, and answers or throws what it does. If it sleeps, move the `clock`, or let
   * `clock.skipUntil(env.run(…))` do it.
   */
  async run<Args extends readonly unknown[], Result>(
    activity: (...args: Args) => Result,
    ...args: Args
  ): Promise<Awaited<Result>> {
    const given: unknown = activity;
    if (typeof given !== "function") throw invalidField("activity", `${shown(given)} is no function`);
    const unwatch = this.clock.quiet.watchRequests();
    try {
      return await runWithContext(this.context, () => activity(...args));
    } finally {
      unwatch();
    }
  }

  /**
   * Aborts the handler's `cancellationSignal`. Only the first call does.
   *
   * @param reason Default: somebody asked for the task to be canceled.
   */
  cancel(reason: CancellationReason = "CANCEL_REQUESTED", message = "The test cancels the activity"): void {
    if (!Object.hasOwn(reasons, reason))
      throw invalidField("reason", `${shown(reason)} is none of ${Object.keys(reasons).join(", ")}`);
    this.#canceling.abort(new CancelledFailure(reason, message));
  }

  #heartbeat(details: unknown): void {
    const kept = decodePayload(encodePayload(details));
    this.#heartbeats.push(kept);
    this.emit("heartbeat", kept);
  }
}
