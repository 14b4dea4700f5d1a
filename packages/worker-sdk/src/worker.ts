import { sleep, TqError } from "@tq/client";
import { TaskQueueKind } from "@tq/proto";
import { AnswerBatcher } from "./answer-batcher.ts";
import { Confirmations } from "./confirmations.ts";
import { Executor } from "./executor.ts";
import type { HeldTask } from "./held-task.ts";
import { HeldTasks } from "./held-tasks.ts";
import { LeaseKeeper } from "./lease-keeper.ts";
import { type Logger, withFields } from "./logger.ts";
import { NoticeListener } from "./notice-listener.ts";
import { Outbox } from "./outbox.ts";
import { Poller } from "./poller.ts";
import { Registrations } from "./registrations.ts";
import { ServerLink } from "./server-link.ts";
import { FixedSlots, type Slots } from "./slots.ts";
import { compileWorkerConfig, type WorkerConfig, type WorkerOptions } from "./worker-options.ts";

/**
 * Where a worker is in its life:
 *
 * - `INITIALIZED`: created; `run()` was not called yet.
 * - `RUNNING`: takes tasks.
 * - `DRAINING`: an operator drained it. It takes nothing new and finishes what it has; then it stays, idle, until it is
 *   shut down.
 * - `STOPPING`: `shutdown()` was called, or the worker cannot go on. It takes nothing new and finishes what it has.
 * - `STOPPED`: holds nothing any more; `run()` has resolved.
 * - `FAILED`: the same, but `run()` has rejected, since the server refuses this worker.
 */
export type WorkerState = "INITIALIZED" | "RUNNING" | "DRAINING" | "STOPPING" | "STOPPED" | "FAILED";

/** What is left to a shutdown once nothing runs: getting the last answers to the server. Past it their leases expire. */
const lastAnswersMs = 5_000;
/** How long a waiting poll may take to end once the server was told that the worker is going. */
const lastPollMs = 2_000;

/**
 * Takes tasks from a queue, runs their handlers and answers. All that makes that safe is its own business: polling for as
 * many tasks as it has slots, keeping leases alive, passing cancel requests on, sending answers until they have arrived,
 * and giving back what it cannot finish. It needs no restart when the server has one.
 */
export class Worker {
  /** The options, complete. */
  readonly config: WorkerConfig;
  readonly #logger: Logger;
  readonly #outbox: Outbox;
  readonly #executor: Executor;
  readonly #batcher: AnswerBatcher;
  readonly #keeper: LeaseKeeper;
  readonly #listener: NoticeListener;
  readonly #pollers: readonly Poller[];
  readonly #shutdown = Promise.withResolvers<void>();
  #state: WorkerState = "INITIALIZED";
  #failure: TqError | undefined;

  private constructor(config: WorkerConfig) {
    const { client, activities, workflows, taskQueue, leaseMs, workerId, identity, buildId } = config;
    const { clock, random, address } = client.config;
    this.config = config;
    this.#logger = withFields(config.logger, { worker: identity, taskQueue });

    const held = new HeldTasks(clock);
    const confirmations = new Confirmations();
    const registrations = new Registrations(
      { workerId, identity, buildId },
      [...activities.keys()],
      [...workflows.keys()],
    );
    const link = new ServerLink({ clock, random, logger: this.#logger, address, heldTasks: () => held.size });
    const outbox = new Outbox((outgoing, status) => this.#executor.answered(outgoing, status));
    const onHeartbeat = (task: HeldTask, details: unknown) => this.#keeper.heartbeat(task, details);
    this.#executor = new Executor({ client, logger: this.#logger, held, outbox, activities, workflows, onHeartbeat });
    this.#batcher = new AnswerBatcher({ client, workerId, outbox, confirmations, link });
    this.#outbox = outbox;

    const pollerOf = (kind: TaskQueueKind, slots: Slots) =>
      new Poller({
        client,
        taskQueues: [{ name: taskQueue, kind }],
        slots,
        leaseMs,
        registrations,
        confirmations,
        held,
        outbox,
        link,
        begin: (task, from) => this.#executor.begin(task, from),
        refuse: (task, reason) => this.#executor.refuse(task, reason),
        onDrainRequested: (isRequested) => this.#drain(isRequested),
        onFatal: (error) => this.#fail(error),
      });
    const activitySlots = new FixedSlots(activities.size > 0 ? config.activitySlots : 0);
    const workflowSlots = new FixedSlots(workflows.size > 0 ? config.workflowSlots : 0);
    const activityPoller = pollerOf(TaskQueueKind.ACTIVITY, activitySlots);
    const workflowPoller = pollerOf(TaskQueueKind.WORKFLOW, workflowSlots);
    this.#pollers = [...(activities.size > 0 ? [activityPoller] : []), ...(workflows.size > 0 ? [workflowPoller] : [])];

    const status = () => ({
      activitySlots: activitySlots.capacity,
      activitySlotsUsed: activitySlots.reserved - activityPoller.offered,
      workflowSlots: workflowSlots.capacity,
      workflowSlotsUsed: workflowSlots.reserved - workflowPoller.offered,
    });
    const onDrainRequested = (isRequested: boolean) => this.#drain(isRequested);
    const leaseCalls = { client, registrations, held, link, status, onDrainRequested };
    this.#keeper = new LeaseKeeper({ ...leaseCalls, leaseMs, confirmations });
    this.#listener = new NoticeListener(leaseCalls);
  }

  /**
   * A worker that is ready to {@link run}. Asks nothing of the server yet.
   *
   * @throws TqError `invalid_argument` naming an option that is wrong.
   */
  static async create(options: WorkerOptions): Promise<Worker> {
    return new Worker(compileWorkerConfig(options));
  }

  /** Where the worker is in its life. */
  getState(): WorkerState {
    return this.#state;
  }

  /**
   * Takes tasks until {@link shutdown} is called and everything that was begun is finished or given back. A server that is
   * away, from the start or later, is waited for.
   *
   * @throws TqError if the server refuses this worker from the start: no such namespace, or a name that it does not take.
   */
  async run(): Promise<void> {
    if (this.#state !== "INITIALIZED") {
      throw new TqError({
        code: "failed_precondition",
        message: `The worker is ${this.#state}: a worker runs once. Create another.`,
      });
    }
    this.#state = "RUNNING";
    this.#logger.info({ workerId: this.config.workerId }, "The worker takes tasks");
    // In this order: a poll takes answers along before they go by themselves.
    for (const poller of this.#pollers) poller.start();
    this.#batcher.start();
    this.#keeper.start();
    this.#listener.start();
    await this.#shutdown.promise;
    await this.#stop();
    this.#state = this.#failure === undefined ? "STOPPED" : "FAILED";
    if (this.#failure !== undefined) throw this.#failure;
    this.#logger.info({}, "The worker has stopped");
  }

  /** Runs until a promise is settled, or the one that a function returns; then shuts down. Answers what the promise does. */
  async runUntil<T>(until: Promise<T> | (() => Promise<T>)): Promise<T> {
    const running = this.run();
    // That it failed is told below; here it only ends the waiting.
    const ended = running.then(
      () => {},
      () => {},
    );
    const result = typeof until === "function" ? (async () => until())() : until;
    try {
      await Promise.race([result, ended]);
      this.shutdown();
      await running;
      return await result;
    } catch (error) {
      this.shutdown();
      await ended;
      throw error;
    }
  }

  /**
   * Begins to stop: no more tasks are taken, what is running may go on for the grace time, then its signals are aborted,
   * and at last what still runs is given back. `run()` resolves when all that is done. Calling it again does nothing.
   */
  shutdown(): void {
    if (this.#state === "RUNNING" || this.#state === "DRAINING") this.#state = "STOPPING";
    this.#shutdown.resolve();
  }

  #fail(error: TqError): void {
    this.#failure ??= error;
    this.#logger.error({ error: error.message }, "The server refuses this worker");
    this.shutdown();
  }

  #drain(isRequested: boolean): void {
    const next = isRequested ? "DRAINING" : "RUNNING";
    if (this.#state === next || (this.#state !== "RUNNING" && this.#state !== "DRAINING")) return;
    this.#state = next;
    this.#logger.warn(
      {},
      isRequested ? "An operator drains this worker: it takes nothing new" : "The worker is drained no longer",
    );
    for (const poller of this.#pollers) poller.drain(isRequested);
  }

  async #stop(): Promise<void> {
    const { shutdownGraceMs, shutdownForceMs, client, ownsClient } = this.config;
    const executor = this.#executor;
    await Promise.all([this.#endPolls(), this.#within(shutdownGraceMs, executor.idle())]);
    if (executor.running > 0) {
      this.#logger.warn({ running: executor.running }, "The grace time is over: handlers are told to stop");
      executor.abortAll("WORKER_SHUTDOWN", "The worker is shutting down");
      await this.#within(shutdownForceMs - shutdownGraceMs, executor.idle());
    }
    if (executor.running > 0) {
      this.#logger.warn({ running: executor.running }, "Handlers ignore their signals: their tasks are given back");
      executor.releaseAll("the worker is shutting down");
    }
    if (!(await this.#within(lastAnswersMs, this.#outbox.empty()))) {
      this.#logger.warn(
        {},
        "The last answers did not reach the server: their leases expire, and the tasks are tried again",
      );
    }
    this.#listener.stop();
    this.#keeper.stop();
    this.#batcher.stop();
    if (ownsClient) await client.close();
  }

  /** Stops polling. The server ends the waiting polls; if it cannot be asked to, or does not, they are broken off. */
  async #endPolls(): Promise<void> {
    const ended = Promise.all(this.#pollers.map((poller) => poller.stop()));
    const { client, workerId } = this.config;
    const { services, config } = client;
    const told = services.workers
      .shutdownWorker({ namespace: config.namespace, workerId }, { timeoutMs: lastPollMs })
      .then(() => this.#within(lastPollMs, ended))
      .catch((error: unknown) => this.#logger.debug({ error }, "ShutdownWorker failed"));
    await Promise.race([told, ended]);
    for (const poller of this.#pollers) poller.abort();
    await ended;
  }

  /** Whether `promise` is fulfilled in time. */
  async #within(limitMs: number, promise: Promise<unknown>): Promise<boolean> {
    const settled = new AbortController();
    const timeout = sleep(this.config.client.config.clock, limitMs, settled.signal).then(
      () => false,
      () => true,
    );
    const isInTime = await Promise.race([promise.then(() => true), timeout]);
    settled.abort();
    return isInTime;
  }
}
