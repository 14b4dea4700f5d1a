// What everything that takes tasks is built on: a worker, and a task poller. It polls for as many tasks as there are slots,
// keeps the leases of those it holds, hears of cancel requests, and sends answers until they have arrived. What is done with
// the tasks in between is its owner's.

import { sleep, type TqError } from "@tq/client";
import { AnswerResult, type AnswerStatus, type DispatchedTask, type TaskAnswer, TaskQueueKind } from "@tq/proto";
import { AnswerBatcher } from "./answer-batcher.ts";
import { answerBytes, releasedAnswer } from "./answers.ts";
import { Confirmations } from "./confirmations.ts";
import type { HeldTask } from "./held-task.ts";
import { HeldTasks } from "./held-tasks.ts";
import { LastHeartbeats } from "./last-heartbeats.ts";
import { type EventLoopStatus, LeaseRenewals } from "./lease-renewals.ts";
import type { Lifecycle } from "./lifecycle.ts";
import type { Logger } from "./logger.ts";
import { OutageLog } from "./outage-log.ts";
import { type OutgoingAnswer, Outbox } from "./outbox.ts";
import { Poller } from "./poller.ts";
import { Registrations } from "./registrations.ts";
import type { RenewalNews, SlotStatus } from "./renewal-messages.ts";
import { ServerLink } from "./server-link.ts";
import type { SessionConfig } from "./session-options.ts";
import type { Slots } from "./slots.ts";

/** Queues of one kind that are polled together, and the slots that they share. */
export interface PolledQueues {
  readonly kind: TaskQueueKind;
  readonly names: readonly string[];
  readonly slots: Slots;
  /** Dispatches per second that the worker wants of each of these queues at most. Unset: without limit. */
  readonly maxPerSecond?: number | undefined;
}

/** What a session needs. */
export interface LeaseSessionOptions {
  readonly config: SessionConfig;
  readonly logger: Logger;
  readonly lifecycle: Lifecycle;
  readonly activityTypes: readonly string[];
  readonly workflowTypes: readonly string[];
  readonly polls: readonly PolledQueues[];
  /** Somebody waits for the statuses of answers, so they are to come soon. */
  readonly answersAreAwaited: boolean;
  /** Deliveries to begin. Their leases are kept from now on, until each is answered or lost. */
  readonly begin: (held: readonly HeldTask[]) => void;
  /** A poll was answered. */
  readonly polled?: (kind: TaskQueueKind, elapsedMs: number, tasks: number) => void;
  /** How the server took an answer. */
  readonly answered: (outgoing: OutgoingAnswer, status: AnswerStatus) => void;
}

/** What is begun and not over yet, as its owner keeps it. */
export interface BegunWork {
  /** How many there are. */
  readonly running: number;
  /** Resolves once there is none. */
  idle(): Promise<void>;
  /** Tells all of it to stop. */
  abortAll(): void;
  /** Gives back what is left, and waits for it no longer. */
  releaseAll(reason: string): void;
}

/** How a shutdown went. */
export interface ShutdownReport {
  /** Handlers that ran as it began, and ended by themselves or when they were told to stop. */
  readonly finished: number;
  /** Handlers that did not, and whose tasks were given back. */
  readonly givenBack: number;
  /** Answers that did not reach the server in time: their leases expire, and the tasks are tried again. */
  readonly answersLost: number;
}

/** What is left to a shutdown once nothing runs: getting the last answers to the server. Past it their leases expire. */
const lastAnswersMs = 5_000;
/** So much of it they may wait for what their handlers said last: a mark is worth less than an answer. */
const lastHeartbeatsMs = 2_000;
/** How long a waiting poll may take to end once the server was told that the worker is going. */
const lastPollMs = 2_000;

/** See the top of the file. */
export class LeaseSession {
  /** The deliveries whose leases are kept. */
  readonly held: HeldTasks;
  readonly #options: LeaseSessionOptions;
  readonly #outbox: Outbox;
  readonly #batcher: AnswerBatcher;
  readonly #confirmations: Confirmations;
  readonly #renewals: LeaseRenewals;
  readonly #lastHeartbeats: LastHeartbeats;
  /** Answers that wait for what their handlers said last to be sent. */
  readonly #heldBack = new Set<Promise<void>>();
  readonly #outages: OutageLog;
  readonly #pollers: readonly { readonly kind: TaskQueueKind; readonly slots: Slots; readonly poller: Poller }[];

  constructor(options: LeaseSessionOptions) {
    const { config, logger, lifecycle, polls, begin } = options;
    const { client, workerId, identity, buildId, leaseMs } = config;
    const { clock, random, address } = client.config;
    this.#options = options;

    const { activityTypes, workflowTypes } = options;
    const taskQueues = polls.flatMap(({ kind, names }) => names.map((name) => ({ name, kind })));
    const renewals = new LeaseRenewals({
      config,
      settings: { workerId, identity, buildId, activityTypes, workflowTypes, taskQueues, leaseMs },
      logger,
      status: () => this.slotStatus(),
      isPolling: () => this.#pollers.some(({ poller }) => poller.offered > 0),
      heldNow: () => ({ held, open: confirmations.open(), received: confirmations.ids() }),
      onNews: (news) => this.#heard(news),
    });
    const held = new HeldTasks(clock, renewals);
    const confirmations = new Confirmations(renewals);
    const registrations = new Registrations({ workerId, identity, buildId }, activityTypes, workflowTypes);
    const outages = new OutageLog({
      clock,
      logger,
      address,
      heldTasks: () => held.size,
      onBack: () => {
        link.back();
        renewals.tell({ kind: "back" });
      },
    });
    const link = new ServerLink({ clock, random, report: (event) => outages.heard(event) });
    const outbox = new Outbox((outgoing, status) => options.answered(outgoing, status));
    this.held = held;
    this.#confirmations = confirmations;
    this.#renewals = renewals;
    this.#lastHeartbeats = new LastHeartbeats({ client, link, logger });
    this.#outages = outages;
    this.#outbox = outbox;
    this.#batcher = new AnswerBatcher({ client, workerId, outbox, confirmations, link });
    const onDrainRequested = (isRequested: boolean) => this.#drain(isRequested);
    this.#pollers = polls.map(({ kind, names, slots, maxPerSecond }) => ({
      kind,
      slots,
      poller: new Poller({
        client,
        taskQueues: names.map((name) => ({ name, kind })),
        maxPerSecond,
        slots,
        leaseMs,
        registrations,
        confirmations,
        held,
        outbox,
        link,
        answersAreAwaited: options.answersAreAwaited,
        begin,
        refuse: (task, reason) => this.#refuse(task, reason),
        polled: (elapsedMs, tasks) => options.polled?.(kind, elapsedMs, tasks),
        wasBlocked: () => renewals.wasBlocked,
        onDrainRequested,
        onFatal: (error: TqError) => {
          logger.error({ error: error.message }, "The server refuses this worker");
          lifecycle.fail(error);
        },
      }),
    }));
  }

  /** True while calls to the server fail. */
  get isServerAway(): boolean {
    return this.#outages.isAway;
  }

  /** Answers that the server has not taken yet. */
  get answersUnderWay(): number {
    return this.#outbox.size + this.#heldBack.size;
  }

  /** How the event loop did. */
  get eventLoop(): EventLoopStatus {
    return this.#renewals.eventLoop;
  }

  /** Slots, and how many of them tasks fill. */
  slotStatus(): SlotStatus {
    const status = { activitySlots: 0, activitySlotsUsed: 0, workflowSlots: 0, workflowSlotsUsed: 0 };
    for (const { kind, slots, poller } of this.#pollers) {
      const used = slots.reserved - poller.offered;
      if (kind === TaskQueueKind.WORKFLOW) {
        status.workflowSlots += slots.capacity;
        status.workflowSlotsUsed += used;
      } else {
        status.activitySlots += slots.capacity;
        status.activitySlotsUsed += used;
      }
    }
    return status;
  }

  /** Takes tasks from now on. */
  start(): void {
    // In this order: a poll takes answers along before they go by themselves.
    for (const { poller } of this.#pollers) poller.start();
    this.#batcher.start();
    this.#renewals.start();
  }

  /** Sends an answer, until it has arrived. */
  answer(answer: TaskAnswer, held: HeldTask | undefined): void {
    if (held !== undefined) this.#renewals.answering(held.key);
    const outgoing = { answer, bytes: answerBytes(answer), held };
    // Where there is no further attempt and no failure, nobody asks how far it got.
    if (held === undefined || answer.answer.case === "completed" || !this.#renewals.hasDetails(held)) {
      this.#outbox.add(outgoing);
      return;
    }
    const told = this.#lastHeartbeats.send(held.task.token, this.#renewals.lastDetails(held)).then(() => {
      this.#heldBack.delete(told);
      this.#outbox.add(outgoing);
    });
    this.#heldBack.add(told);
  }

  /**
   * Takes in how the server took the answer of a delivery. It is held no longer, unless the answer was refused: then its
   * lease stays, and another answer is due.
   */
  settle(held: HeldTask, { result }: AnswerStatus): "answered" | "lost" | "refused" {
    switch (result) {
      case AnswerResult.UNSPECIFIED:
      case AnswerResult.ACCEPTED:
      case AnswerResult.ALREADY_ANSWERED:
        this.forget(held);
        return "answered";
      case AnswerResult.LEASE_LOST:
        this.held.delete(held);
        held.lost(this.#options.config.client.config.clock.now());
        return "lost";
      case AnswerResult.REFUSED:
        return "refused";
    }
  }

  /** An answer was refused, and another one will be made. */
  reopen(held: HeldTask): void {
    held.refused();
    this.#renewals.begun([held]);
  }

  /** Keeps the lease of a delivery no longer. */
  forget(held: HeldTask): void {
    this.held.delete(held);
    held.answered();
  }

  /**
   * Says that the work on a task goes on.
   *
   * @throws TqError if the details cannot be serialised, or are too large
   */
  heartbeat(held: HeldTask, details: unknown): void {
    this.#renewals.heartbeat(held, details);
  }

  /**
   * Takes nothing new, and lets what was begun finish for the grace time; then tells it to stop, at last gives it back, and
   * sees to it that the last answers arrive. Never rejects.
   */
  async stop(work: BegunWork): Promise<ShutdownReport> {
    const { config, logger } = this.#options;
    const { shutdownGraceMs, shutdownForceMs, client, ownsClient } = config;
    const begun = work.running;
    await Promise.all([this.#endPolls(), this.#within(shutdownGraceMs, work.idle())]);
    if (work.running > 0) {
      logger.warn({ running: work.running }, "The grace time is over: handlers are told to stop");
      work.abortAll();
      await this.#within(shutdownForceMs - shutdownGraceMs, work.idle());
    }
    const givenBack = work.running;
    if (givenBack > 0) {
      logger.warn({ running: givenBack }, "Handlers ignore their signals: their tasks are given back");
      work.releaseAll("the worker is shutting down");
    }
    const isEmpty = await this.#sendLast();
    const answersLost = isEmpty ? 0 : this.answersUnderWay;
    if (answersLost > 0) {
      logger.warn(
        { answers: answersLost },
        "The last answers did not reach the server: their leases expire, and the tasks are tried again",
      );
    }
    this.#batcher.stop();
    this.held.stop();
    await this.#renewals.stop();
    if (ownsClient) await client.close();
    return { finished: begun - givenBack, givenBack, answersLost };
  }

  /** Whether every answer has been taken by the server in time. What their handlers said last holds them up for part of it. */
  async #sendLast(): Promise<boolean> {
    const allSent = this.#allSent();
    if (await this.#within(lastHeartbeatsMs, allSent)) return true;
    this.#lastHeartbeats.stop();
    return this.#within(lastAnswersMs - lastHeartbeatsMs, allSent);
  }

  /** Resolves once every answer has been taken by the server. */
  async #allSent(): Promise<void> {
    // One that is refused is followed by another, which may be held back in its turn.
    while (this.answersUnderWay > 0) {
      await Promise.all(this.#heldBack);
      await this.#outbox.empty();
    }
  }

  /** Gives a delivery back that was not begun. */
  #refuse(task: DispatchedTask, reason: string): void {
    this.answer(releasedAnswer(task.token, reason), undefined);
  }

  #heard(news: Exclude<RenewalNews, { readonly kind: "unblocked" }>): void {
    switch (news.kind) {
      case "lost":
        for (const key of news.keys) this.held.lost(key);
        return;
      case "cancelRequested":
        this.held.cancelRequested(news.key, news.reason);
        return;
      case "drain":
        this.#drain(news.isRequested);
        return;
      case "confirmed":
        this.#confirmations.confirmed(news.pollIds);
        return;
      case "calls":
        this.#outages.heard(news.event);
    }
  }

  #drain(isRequested: boolean): void {
    const { lifecycle, logger } = this.#options;
    if (!lifecycle.drain(isRequested)) return;
    logger.warn(
      {},
      isRequested ? "An operator drains this worker: it takes nothing new" : "The worker is drained no longer",
    );
    for (const { poller } of this.#pollers) poller.drain(isRequested);
  }

  /** Stops polling. The server ends the waiting polls; if it cannot be asked to, or does not, they are broken off. */
  async #endPolls(): Promise<void> {
    const { client, workerId } = this.#options.config;
    const ended = Promise.all(this.#pollers.map(({ poller }) => poller.stop()));
    const { services, config } = client;
    const told = services.workers
      .shutdownWorker({ namespace: config.namespace, workerId }, { timeoutMs: lastPollMs })
      .then(() => this.#within(lastPollMs, ended))
      .catch((error: unknown) => this.#options.logger.debug({ error }, "ShutdownWorker failed"));
    await Promise.race([told, ended]);
    for (const { poller } of this.#pollers) poller.abort();
    await ended;
    for (const { slots } of this.#pollers) slots.stop();
  }

  /** Whether `promise` is fulfilled in time. */
  async #within(limitMs: number, promise: Promise<unknown>): Promise<boolean> {
    const { clock } = this.#options.config.client.config;
    const settled = new AbortController();
    const timeout = sleep(clock, limitMs, settled.signal).then(
      () => false,
      () => true,
    );
    const isInTime = await Promise.race([promise.then(() => true), timeout]);
    settled.abort();
    return isInTime;
  }
}
