import { setImmediate } from "node:timers/promises";
import { invalidField, isThenable, kindName, shown } from "@tq/client/internal";
import { TaskQueueKind } from "@tq/proto";
import { Executor } from "./executor.ts";
import type { EventLoopStatus } from "./lease-renewals.ts";
import { type CacheStatus, HandlerCache } from "./handler-cache.ts";
import type { HeldTask } from "./held-task.ts";
import { LeaseSession, type ShutdownReport } from "./lease-session.ts";
import { Lifecycle, type StateListener, type WorkerState } from "./lifecycle.ts";
import { type Logger, withFields } from "./logger.ts";
import { createSlots } from "./tuner.ts";
import type { SlotStatus } from "./renewal-messages.ts";
import { watchRejections } from "./unhandled-rejections.ts";
import { WorkerMetrics } from "./worker-metrics.ts";
import { WorkerTracing } from "./worker-tracing.ts";
import { compileWorkerConfig, type WorkerConfig, type WorkerOptions } from "./worker-options.ts";

/** How a worker does just now. */
export interface WorkerStatus extends SlotStatus {
  readonly state: WorkerState;
  /** Calls to the server fail just now. The worker keeps what it has, and goes on trying. */
  readonly isServerAway: boolean;
  /** Deliveries whose leases the worker keeps: those that run, and those whose answers have not arrived yet. */
  readonly heldTasks: number;
  /** Handlers that run, also those whose lease is gone. */
  readonly runningHandlers: number;
  /** Answers that the server has not taken yet. */
  readonly answersUnderWay: number;
  /** How often handlers blocked the event loop; needs the renewal thread. */
  readonly eventLoop: EventLoopStatus;
  /** How the shutdown went; unset until it is over. */
  readonly shutdown: ShutdownReport | undefined;
  /** What handlers keep in `Context.cache`, and how often they found something. */
  readonly cache: CacheStatus;
}

/**
 * Takes tasks from a queue, runs their handlers and answers. All that makes that safe is its own business: polling for as
 * many tasks as it has slots, keeping leases alive, passing cancel requests on, sending answers until they have arrived,
 * and giving back what it cannot finish. It needs no restart when the server has one.
 */
export class Worker {
  /** The options, complete. */
  readonly config: WorkerConfig;
  readonly #logger: Logger;
  readonly #lifecycle = new Lifecycle((error) =>
    this.#logger.error({ error }, "A listener of the worker's state has thrown"),
  );
  readonly #executor: Executor;
  readonly #session: LeaseSession;
  readonly #cache: HandlerCache;
  #metrics: WorkerMetrics | undefined;
  #shutdownReport: ShutdownReport | undefined;

  private constructor(config: WorkerConfig) {
    const { client, activities, workflows, taskQueue } = config;
    this.config = config;
    this.#cache = new HandlerCache(config.cache);
    this.#logger = withFields(config.logger, { worker: config.identity, taskQueue });
    const { processTaskQueue, maxActivitiesPerSecond, maxTaskQueueActivitiesPerSecond, identity } = config;
    const names = processTaskQueue === undefined ? [taskQueue] : [taskQueue, processTaskQueue];
    const slotsOf = (slotType: "activity" | "workflow", maxPerSecond?: number) =>
      createSlots({
        config: config.slots[slotType],
        slotType,
        taskQueue,
        processTaskQueue,
        identity,
        maxPerSecond,
        clock: client.config.clock,
        logger: this.#logger,
      });
    const activityPoll = () => ({
      kind: TaskQueueKind.ACTIVITY,
      names,
      slots: slotsOf("activity", maxActivitiesPerSecond),
      maxPerSecond: maxTaskQueueActivitiesPerSecond,
    });
    const workflowPoll = () => ({ kind: TaskQueueKind.WORKFLOW, names, slots: slotsOf("workflow") });
    const session = new LeaseSession({
      config,
      logger: this.#logger,
      lifecycle: this.#lifecycle,
      activityTypes: [...activities.keys()],
      workflowTypes: [...workflows.keys()],
      polls: [...(activities.size > 0 ? [activityPoll()] : []), ...(workflows.size > 0 ? [workflowPoll()] : [])],
      answersAreAwaited: false,
      polled: (kind, elapsedMs, tasks) => this.#metrics?.polled(kindName(kind), elapsedMs, tasks),
      begin: (held) => this.#executor.begin(held),
      answered: (outgoing, status) => this.#executor.answered(outgoing, status),
    });
    this.#session = session;
    const around = {
      client,
      logger: this.#logger,
      worker: config,
      cache: this.#cache,
      interceptors: config.interceptors,
      heartbeat: (held: HeldTask, details: unknown) => session.heartbeat(held, details),
    };
    const tracing = new WorkerTracing(client.config.namespace);
    this.#executor = new Executor({ client, logger: this.#logger, session, activities, workflows, around, tracing });
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
    return this.#lifecycle.state;
  }

  /** How the worker does just now. */
  getStatus(): WorkerStatus {
    const { isServerAway, held, answersUnderWay, eventLoop } = this.#session;
    return {
      state: this.getState(),
      isServerAway,
      heldTasks: held.size,
      runningHandlers: this.#executor.running,
      answersUnderWay,
      eventLoop,
      shutdown: this.#shutdownReport,
      cache: this.#cache.status,
      ...this.#session.slotStatus(),
    };
  }

  /** Calls back at each change of the state, as it happens. Answers how to take that back. */
  onStateChange(listener: StateListener): () => void {
    return this.#lifecycle.onChange(listener);
  }

  /**
   * Takes tasks until {@link shutdown} is called and everything that was begun is finished or given back. A server that is
   * away, from the start or later, is waited for.
   *
   * Handlers run in spans where an OpenTelemetry SDK is registered, and the worker is measured if that is so by now. A promise that a
   * handler did not await and that is rejected is logged with its task and changes nothing else; all other unhandled
   * rejections end the process, as they do without a worker.
   *
   * @throws TqError if the server refuses this worker from the start: no such namespace, or a name that it does not take.
   */
  async run(): Promise<void> {
    const lifecycle = this.#lifecycle;
    lifecycle.begin();
    this.#logger.info({ workerId: this.config.workerId }, "The worker takes tasks");
    const stopMeasuring = this.#measure();
    const stopWatching = watchRejections();
    const releaseThreads = Array.from(this.config.threadPools, (pool) => pool.use());
    this.#session.start();
    await lifecycle.stopping;
    const report = await this.#session.stop(this.#executor);
    await Promise.all(releaseThreads.map(async (release) => release()));
    // Node tells of a rejection at the end of the turn in which it happened.
    await setImmediate();
    stopWatching();
    stopMeasuring();
    this.#cache.clear();
    this.#shutdownReport = report;
    lifecycle.end();
    if (lifecycle.failure !== undefined) throw lifecycle.failure;
    this.#logger.info({ ...report }, "The worker has stopped");
  }

  /**
   * Runs until a promise is settled, or the one that a function returns; then shuts down. Answers what the promise does.
   *
   * @throws TqError `invalid_argument` if it is given neither; then it does not run.
   */
  async runUntil<T>(until: Promise<T> | (() => Promise<T>)): Promise<T> {
    if (typeof until !== "function" && !isThenable(until))
      throw invalidField("until", `${shown(until)} is neither a promise nor a function that returns one`);
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
    this.#lifecycle.stop();
  }

  /** Measures from now on, if there is somebody to tell. Answers how to end that. */
  #measure(): () => void {
    const { namespace } = this.config.client.config;
    const metrics = WorkerMetrics.ifRegistered({
      namespace,
      taskQueue: this.config.taskQueue,
      observed: {
        slots: () => this.#session.slotStatus(),
        cache: () => this.#cache.status,
        heldTasks: () => this.#session.held.size,
        eventLoop: () => this.#session.eventLoop,
      },
    });
    this.#metrics = metrics;
    this.#executor.measureWith(metrics);
    return () => metrics?.stop();
  }
}
