// Tasks in batches, for who does something once for many of them: an engine that commits its file once, a writer of bulk
// inserts. It is a worker without handlers: the same polls, leases, answers, states and shutdown.
//
// Polls go on while the caller is busy with a batch, as long as slots are free, and what arrives meanwhile makes the next
// batch. So the slots are the bound on what is held, and with many slots a slow commit makes the next batch larger.

import type { MessageCodec } from "@tq/client/internal";
import { type AnswerStatus, TaskQueueKind } from "@tq/proto";
import { checkedAnswer, encodedAnswer, failedAnswer } from "./answers.ts";
import type { ApplicationFailure } from "./failure.ts";
import type { HeldTask } from "./held-task.ts";
import type { EventLoopStatus } from "./lease-renewals.ts";
import { type BegunWork, LeaseSession, type ShutdownReport } from "./lease-session.ts";
import { LeasedTask, outcomeOf } from "./leased-task.ts";
import { Lifecycle, type StateListener, type WorkerState } from "./lifecycle.ts";
import { type Logger, withFields } from "./logger.ts";
import type { OutgoingAnswer } from "./outbox.ts";
import { FixedSlots } from "./slots.ts";
import { TaskBatch } from "./task-batch.ts";
import { type DecodedDelivery, decodeDelivery, decodeDeliveryWith } from "./task-info.ts";
import { compileTaskPollerConfig, type TaskPollerConfig, type TaskPollerOptions } from "./task-poller-options.ts";

/** How a task poller does just now. */
export interface TaskPollerStatus {
  readonly state: WorkerState;
  /** Calls to the server fail just now. The poller keeps what it has, and goes on trying. */
  readonly isServerAway: boolean;
  /** Tasks that it may hold at once. */
  readonly slots: number;
  /** How many of these tasks fill, those whose answers have not arrived yet among them. */
  readonly slotsUsed: number;
  /** Tasks that have arrived, and wait to be taken with the next batch. */
  readonly waitingTasks: number;
  /** Tasks of batches that are not answered. */
  readonly openTasks: number;
  /** Answers that the server has not taken yet. */
  readonly answersUnderWay: number;
  /** How often the event loop was blocked; needs the renewal thread. */
  readonly eventLoop: EventLoopStatus;
  /** How the shutdown went; unset until it is over. */
  readonly shutdown: ShutdownReport | undefined;
}

/** A task that the caller has, or is to get. */
interface OpenTask {
  readonly task: LeasedTask;
  /** The batch that it came in; none while it waits for the caller. */
  batch: TaskBatch | undefined;
  /** Its lease was lost before it was answered, and that is all there is to say about it. */
  isDropped: boolean;
  /** The poller gave it back at its end. That is no answer of the caller's, who may still come with one. */
  isGivenBack: boolean;
}

/**
 * An async iterator of batches of leased tasks: iterate it once, and answer every task. Leases are kept until then, for
 * however long it takes. The iteration ends once {@link shutdown} was called and everything is answered or given back.
 *
 *     for await (const batch of poller) {
 *       for (const task of batch) task.complete(work(task.args));
 *       await batch.flush();
 *     }
 *
 * Leaving the loop early, by `break` or a throw, shuts the poller down and gives back at once what is not answered.
 */
export class TaskPoller implements AsyncIterable<TaskBatch> {
  /** The options, complete. */
  readonly config: TaskPollerConfig;
  readonly #logger: Logger;
  readonly #lifecycle = new Lifecycle((error) =>
    this.#logger.error({ error }, "A listener of the task poller's state has thrown"),
  );
  readonly #session: LeaseSession;
  /** Deliveries that are not answered, the caller's and those that wait for it. */
  readonly #open = new Map<HeldTask, OpenTask>();
  /** Deliveries whose answers are on their way. */
  readonly #answering = new Map<HeldTask, OpenTask>();
  readonly #onArrival: (() => void)[] = [];
  readonly #onIdle: (() => void)[] = [];
  #waiting: OpenTask[] = [];
  /** Deliveries and answers that codecs are at work on. */
  #coding = 0;
  #ended: Promise<void> | undefined;
  #shutdownReport: ShutdownReport | undefined;

  private constructor(config: TaskPollerConfig) {
    const { taskQueue, kind, types, maxConcurrentTasks } = config;
    this.config = config;
    this.#logger = withFields(config.logger, { worker: config.identity, taskQueue });
    const ofKind = kind === "activity" ? TaskQueueKind.ACTIVITY : TaskQueueKind.WORKFLOW;
    this.#session = new LeaseSession({
      config,
      logger: this.#logger,
      lifecycle: this.#lifecycle,
      activityTypes: kind === "activity" ? types : [],
      workflowTypes: kind === "workflow" ? types : [],
      polls: [{ kind: ofKind, names: [taskQueue], slots: new FixedSlots(maxConcurrentTasks) }],
      answersAreAwaited: true,
      begin: (held) => this.#arrived(held),
      answered: (outgoing, status) => this.#answered(outgoing, status),
    });
  }

  /**
   * A poller that begins as it is iterated. Asks nothing of the server yet.
   *
   * @throws TqError `invalid_argument` naming an option that is wrong.
   */
  static async create(options: TaskPollerOptions): Promise<TaskPoller> {
    return new TaskPoller(compileTaskPollerConfig(options));
  }

  /** Where the poller is in its life. */
  getState(): WorkerState {
    return this.#lifecycle.state;
  }

  /** How the poller does just now. */
  getStatus(): TaskPollerStatus {
    const { isServerAway, answersUnderWay, eventLoop } = this.#session;
    const slots = this.#session.slotStatus();
    const waitingTasks = this.#waiting.length;
    return {
      state: this.getState(),
      isServerAway,
      slots: slots.activitySlots + slots.workflowSlots,
      slotsUsed: slots.activitySlotsUsed + slots.workflowSlotsUsed,
      waitingTasks,
      openTasks: this.#open.size - waitingTasks,
      answersUnderWay,
      eventLoop,
      shutdown: this.#shutdownReport,
    };
  }

  /** Calls back at each change of the state, as it happens. Answers how to take that back. */
  onStateChange(listener: StateListener): () => void {
    return this.#lifecycle.onChange(listener);
  }

  /**
   * Begins to take tasks.
   *
   * @throws TqError `failed_precondition` if it was iterated before. The iteration throws if the server refuses this poller
   *   from the start.
   */
  [Symbol.asyncIterator](): AsyncIterator<TaskBatch, undefined> {
    this.#lifecycle.begin();
    this.#session.start();
    this.#ended = this.#run();
    return {
      next: async () => {
        const batch = await this.#next();
        return batch === undefined ? { done: true, value: undefined } : { done: false, value: batch };
      },
      return: async () => {
        this.shutdown();
        this.#releaseAll("the worker is shutting down");
        await this.#ended;
        return { done: true, value: undefined };
      },
    };
  }

  /**
   * Begins to stop: no more tasks are taken, and those that wait for the caller are given back. The caller may go on with
   * those that it has for the grace time; then their signals are aborted, and at last they are given back.
   */
  shutdown(): void {
    this.#lifecycle.stop();
  }

  async #run(): Promise<void> {
    const lifecycle = this.#lifecycle;
    await lifecycle.stopping;
    this.#releaseWaiting();
    const open = this.#open;
    const coding = () => this.#coding;
    const work: BegunWork = {
      get running() {
        return open.size + coding();
      },
      idle: () => this.#idle(),
      abortAll: () => this.#abortAll(),
      releaseAll: (reason) => this.#releaseAll(reason),
    };
    const report = await this.#session.stop(work);
    this.#shutdownReport = report;
    for (const { task, batch, isGivenBack } of this.#answering.values())
      if (!isGivenBack) batch?.answered({ task, status: "UNKNOWN" });
    this.#logger.info({ ...report }, "The task poller has stopped");
    lifecycle.end();
    for (const listener of this.#onArrival.splice(0)) listener();
  }

  /** What has arrived, as soon as there is something; undefined once the poller has stopped. */
  async #next(): Promise<TaskBatch | undefined> {
    while (this.#waiting.length === 0) {
      const { state, failure } = this.#lifecycle;
      if (failure !== undefined && state === "FAILED") throw failure;
      if (state === "STOPPED") return undefined;
      await new Promise<void>((resolve) => this.#onArrival.push(resolve));
    }
    const taken = this.#waiting.splice(0);
    const batch = new TaskBatch(taken.map(({ task }) => task));
    for (const open of taken) open.batch = batch;
    return batch;
  }

  #arrived(deliveries: readonly HeldTask[]): void {
    const { client } = this.config;
    const { messageCodec } = client.config;
    for (const held of deliveries) {
      if (messageCodec === undefined) this.#take(held, decodeDelivery(held.task, client, this.config));
      else void this.#decode(held, messageCodec);
    }
    this.#tellOfArrival();
  }

  /** Never rejects. */
  async #decode(held: HeldTask, codec: MessageCodec): Promise<void> {
    this.#coding++;
    const decoded = await decodeDeliveryWith(codec, held.task, this.config.client, this.config);
    this.#coding--;
    this.#take(held, decoded);
    if (this.#lifecycle.state === "STOPPING") this.#releaseWaiting();
    this.#tellOfArrival();
    this.#checkIdle();
  }

  #take(held: HeldTask, decoded: DecodedDelivery | ApplicationFailure): void {
    const { client } = this.config;
    if (decoded instanceof Error) {
      this.#send(held, failedAnswer(held, decoded, client.config.payloadConverter));
      return;
    }
    const task = new LeasedTask({
      held,
      client,
      ...decoded,
      answer: (answer) => this.#answer(held, open, answer),
      heartbeat: (...heartbeat) => this.#session.heartbeat(...heartbeat),
      wasGivenBack: () => open.isGivenBack,
    });
    const open: OpenTask = { task, batch: undefined, isDropped: false, isGivenBack: false };
    this.#open.set(held, open);
    this.#waiting.push(open);
    held.onLost(() => this.#lost(held, open));
  }

  #tellOfArrival(): void {
    if (this.#waiting.length > 0) for (const listener of this.#onArrival.splice(0)) listener();
  }

  /** The caller has answered. Where the lease is gone there is nobody to tell. */
  #answer(held: HeldTask, open: OpenTask, answer: OutgoingAnswer["answer"]): void {
    const { task, batch } = open;
    if (this.#open.delete(held)) {
      this.#answering.set(held, open);
      if (!open.isGivenBack) batch?.answering(task);
      this.#send(held, answer);
      this.#checkIdle();
    } else if (!open.isDropped) {
      open.isDropped = true;
      this.#logDropped(held);
      batch?.answered({ task, status: "LEASE_LOST" });
    }
  }

  #send(held: HeldTask, answer: OutgoingAnswer["answer"]): void {
    held.handlerEnded();
    held.answering();
    const { messageCodec, payloadConverter } = this.config.client.config;
    if (messageCodec === undefined) this.#session.answer(checkedAnswer(held, answer, payloadConverter), held);
    else void this.#encode(held, answer, messageCodec);
  }

  /** Never rejects. */
  async #encode(held: HeldTask, answer: OutgoingAnswer["answer"], codec: MessageCodec): Promise<void> {
    this.#coding++;
    const encoded = await encodedAnswer(held, answer, codec, this.#logger);
    this.#coding--;
    this.#session.answer(checkedAnswer(held, encoded, this.config.client.config.payloadConverter), held);
    this.#checkIdle();
  }

  #answered({ held }: OutgoingAnswer, status: AnswerStatus): void {
    if (held === undefined) return;
    const open = this.#answering.get(held);
    this.#answering.delete(held);
    switch (this.#session.settle(held, status)) {
      case "answered":
        break;
      case "lost":
        this.#logDropped(held);
        break;
      case "refused":
        if (open === undefined) {
          // It could not be decoded, so there is nobody to answer it again. Its lease runs out.
          this.#session.forget(held);
        } else {
          this.#session.reopen(held);
          this.#open.set(held, open);
        }
        break;
    }
    if (open !== undefined && !open.isGivenBack) open.batch?.answered(outcomeOf(open.task, status));
  }

  /** A lease is gone before the caller has answered. Its slot is free at once: who holds it is told by the signal. */
  #lost(held: HeldTask, open: OpenTask): void {
    if (!this.#open.delete(held)) return;
    this.#waiting = this.#waiting.filter((each) => each !== open);
    held.handlerEnded();
    this.#checkIdle();
  }

  #abortAll(): void {
    for (const held of this.#open.keys()) held.abort("WORKER_SHUTDOWN", "The worker is shutting down");
  }

  #releaseWaiting(): void {
    for (const { task } of this.#waiting.splice(0)) task.release("the worker is shutting down");
  }

  #releaseAll(reason: string): void {
    for (const open of this.#open.values()) {
      open.isGivenBack = true;
      open.task.release(reason);
    }
    this.#waiting.length = 0;
  }

  async #idle(): Promise<void> {
    if (this.#open.size + this.#coding > 0) await new Promise<void>((resolve) => this.#onIdle.push(resolve));
  }

  #checkIdle(): void {
    if (this.#open.size + this.#coding === 0) for (const listener of this.#onIdle.splice(0)) listener();
  }

  #logDropped(held: HeldTask): void {
    const { id, type, attempt } = held.task;
    this.#logger.warn(
      { taskId: id, type, attempt },
      "An answer was dropped: the lease was lost, and the task is another worker's now, or closed",
    );
  }
}
