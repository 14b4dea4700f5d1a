// Asks for tasks: exactly as many as there are free slots, and only while there are any.
//
// A poll that is held open means that there is nothing to have, and the first task that comes ends it; so a slot that becomes
// free meanwhile can wait for that. But a busy worker's poll is on its way most of the time, and so a second one, with slots
// of its own, may go while one is under way, if there are answers for it to take along. It does not wait for tasks.
//
// A worker of many slots has two polls under way whenever it can, each with two thirds of its slots at most, and both wait. So
// another poll waits while one is just coming back with a task, and the next task meets a waiting poll as it is added, in the
// commit of its add. And a backlog is worked off by server and worker at the same time: while the server commits one part the
// worker runs the other. Two things would put an end to that, after which both would take turns. Neither poll may ever take
// over all slots: it answers for two thirds of them at most, however many answers wait, and leaves the rest to the other. And
// what ends at once leaves at once: two replies that are there together would otherwise both be begun before the first
// answers leave, and the server, which commits together what waits together, would answer them together for ever after.
//
// A poll takes along the answers of its own slots that wait to be sent, and offers those slots too (where they may be lent),
// for the server takes the answers before it looks for tasks: so a busy worker needs one call for both, and the server
// still never has more tasks leased to it than it has slots.
//
// A poll keeps its id until it is answered, whatever happens to the connection; so no task is lost on the way.

import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { type Client, sleep, toTqError, TqError } from "@tq/client";
import {
  AnswerResult,
  type DispatchedTask,
  type PollTasksRequest,
  type PollTasksResponse,
  type TaskQueueKind,
  type TaskQueueRef,
  TaskQueueRefSchema,
} from "@tq/proto";
import type { Confirmations } from "./confirmations.ts";
import { HeldTask, tokenKey } from "./held-task.ts";
import type { HeldTasks } from "./held-tasks.ts";
import type { OutgoingAnswer, Outbox } from "./outbox.ts";
import type { Registrations } from "./registrations.ts";
import { isLasting, isTooLarge, type ServerLink } from "./server-link.ts";
import type { Slots } from "./slots.ts";

/** What a poller needs. */
export interface PollerOptions {
  readonly client: Client;
  /** Queues that share the slots. */
  readonly taskQueues: readonly { readonly name: string; readonly kind: TaskQueueKind }[];
  readonly slots: Slots;
  /** Dispatches per second that are wanted of each queue at most. Unset: without limit. */
  readonly maxPerSecond: number | undefined;
  readonly leaseMs: number;
  readonly registrations: Registrations;
  readonly confirmations: Confirmations;
  readonly held: HeldTasks;
  readonly outbox: Outbox;
  readonly link: ServerLink;
  /** Somebody waits for the statuses of answers: a poll that takes some along then does not wait for tasks. */
  readonly answersAreAwaited: boolean;
  /** Deliveries to begin, each in a slot of `slots`; they are among the held ones already. */
  readonly begin: (held: readonly HeldTask[]) => void;
  /** A delivery to give back at once. */
  readonly refuse: (task: DispatchedTask, reason: string) => void;
  /** A poll was answered: how long it took, and how many tasks it brought. */
  readonly polled: (elapsedMs: number, tasks: number) => void;
  /** Whether the event loop has just stood still for long. */
  readonly wasBlocked: () => boolean;
  /** An operator wants this worker to take nothing new, or no longer. */
  readonly onDrainRequested: (isRequested: boolean) => void;
  /** The server refuses to be polled like this. */
  readonly onFatal: (error: TqError) => void;
}

/** A poll under way. */
interface Poll {
  /** The answers that it takes along. */
  readonly answers: readonly OutgoingAnswer[];
  /** The deliveries among those whose slots it offers. */
  readonly lent: readonly HeldTask[];
  /** Answered at once: no second poll of few slots waits for tasks, nor one for whose statuses somebody waits. */
  readonly isBrief: boolean;
  /** Slots that it offers and that no task fills. */
  offered: number;
}

/** Polls under way at most: with two, tasks fill 98 % of the slots of a busy worker, with one 93 %; more add nothing to that. */
const maxPolls = 2;
/** From so many slots on two polls wait, each with a part of them: a part of fewer is hardly worth a call. */
const leastSlotsForTwo = 16;
/** The most that one of these gets, of 1. Unequal parts work off a backlog 2 to 17 % quicker than halves: docs/performance.md. */
const largestPart = 2 / 3;
/** The contract's bound on a poll. */
const maxTasksPerPoll = 1_000;
/** As long as the server holds a poll. */
const waitMs = 60_000;
/** As long as a poll waits that broke and is repeated. */
const repeatedWaitMs = 1_000;
/** What an answer may take beyond that. */
const graceMs = 10_000;
/** The least time from poll to poll if a poll that was to wait came back at once and empty-handed. */
const restMs = 100;
/** Tasks that the worker does not mention within this time come back; every call mentions them, and one is due each second. */
const confirmWithinMs = 5_000;

/** See the top of the file. */
export class Poller {
  readonly #options: PollerOptions;
  readonly #taskQueues: TaskQueueRef[];
  readonly #ending = new AbortController();
  readonly #onEnded: (() => void)[] = [];
  #isStopping = false;
  #isDraining = false;
  #carriesAnswers = true;
  /** Two at most. Not a Set: see ChurnMap. */
  #polls: readonly Poll[] = [];
  #isScheduled = false;

  constructor(options: PollerOptions) {
    this.#options = options;
    this.#taskQueues = options.taskQueues.map((queue) => create(TaskQueueRefSchema, queue));
  }

  /** Slots that are reserved for the polls under way, and not by a task. */
  get offered(): number {
    let offered = 0;
    for (const poll of this.#polls) offered += poll.offered;
    return offered;
  }

  start(): void {
    const { outbox, slots } = this.#options;
    outbox.addCarrier(() => this.#pollAll());
    slots.onFree(() => this.#schedule());
    this.#pollAll();
  }

  /** Stops polling. Resolves once no poll is under way, which {@link abort} sees to at once. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    if (this.#polls.length > 0) await new Promise<void>((resolve) => this.#onEnded.push(resolve));
  }

  /** Breaks off the polls under way. Tasks that were on their way come back to the server unconfirmed. */
  abort(): void {
    this.#ending.abort();
  }

  /** Polls no more while draining; the polls under way go on. */
  drain(isDraining: boolean): void {
    this.#isDraining = isDraining;
    this.#schedule();
  }

  /** Polls once the present turn of the event loop is over, so that slots which become free together are offered together. */
  #schedule(): void {
    if (this.#polls.length >= maxPolls || this.#isStopping || this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#pollAll();
    });
  }

  #pollAll(): void {
    while (this.#poll());
  }

  /** Makes one poll, if there is one to make. */
  #poll(): boolean {
    if (this.#polls.length >= maxPolls || this.#isStopping || this.#isDraining) return false;
    const { outbox, slots } = this.#options;
    const isFirst = this.#polls.length === 0;
    const bothWait = slots.capacity >= leastSlotsForTwo;
    const most = bothWait ? Math.min(maxTasksPerPoll, Math.ceil(slots.capacity * largestPart)) : maxTasksPerPoll;
    const answers = this.#carriesAnswers && slots.isLendable ? outbox.take(slots, most) : [];
    // Free slots alone are not worth a second call that does not wait.
    if (!isFirst && !bothWait && answers.length === 0) return false;
    const lent = answers.flatMap(({ held }) => (held?.takeSlot() === true ? held : []));
    let free = lent.length;
    while (free < most && slots.tryReserve()) free++;
    if (free === 0) {
      outbox.putBack(answers);
      return false;
    }
    const isBrief = (!isFirst && !bothWait) || (answers.length > 0 && this.#options.answersAreAwaited);
    const poll: Poll = { answers, lent, isBrief, offered: free };
    this.#polls = [...this.#polls, poll];
    void this.#run(poll).then(() => {
      this.#polls = this.#polls.filter((other) => other !== poll);
      if (this.#polls.length === 0) for (const listener of this.#onEnded.splice(0)) listener();
      this.#schedule();
    });
    return true;
  }

  /** One poll, from its first try to its answer. Never rejects; afterwards no slot is offered. */
  async #run(poll: Poll): Promise<void> {
    const { slots } = this.#options;
    const { clock } = this.#options.client.config;
    const askedAtMs = clock.now();
    const response = await this.#ask(poll).catch((error: unknown) => toTqError(error));
    if (response instanceof TqError) {
      this.#failed(poll, response);
    } else {
      this.#options.polled(clock.now() - askedAtMs, response.tasks.length);
      this.#settle(poll, response);
      this.#begin(poll, await this.#current(response.tasks));
    }
    for (; poll.offered > 0; poll.offered--) slots.release();
    const isEmpty = response instanceof TqError || (response.tasks.length === 0 && poll.answers.length === 0);
    if (isEmpty && clock.now() - askedAtMs < restMs && !this.#isStopping) {
      await sleep(clock, restMs, this.#ending.signal).catch(() => {});
    }
  }

  #failed(poll: Poll, error: TqError): void {
    this.#unload(poll);
    if (!(isLasting(error) || isTooLarge(error)) || this.#ending.signal.aborted) return;
    if (poll.answers.length > 0) {
      // Perhaps it was an answer that the server did not like. They go by themselves from now on.
      this.#carriesAnswers = false;
    } else {
      this.#isStopping = true;
      this.#options.onFatal(error);
    }
  }

  /** The answers were not taken: they wait again, and their slots are not free after all. */
  #unload(poll: Poll): void {
    for (const held of poll.lent) {
      poll.offered--;
      held.returnSlot();
    }
    this.#options.outbox.putBack(poll.answers);
  }

  async #ask({ answers, isBrief, offered }: Poll): Promise<PollTasksResponse> {
    const { client, maxPerSecond, leaseMs, registrations, confirmations, link, onDrainRequested } = this.#options;
    const { config, services } = client;
    let reference = registrations.reference();
    const receivedPollIds = confirmations.ids();
    const pollId = config.newId();
    // Written out, since `create` takes longer than all else that is done about a poll.
    const request: PollTasksRequest = {
      $typeName: "tq.v1.PollTasksRequest",
      namespace: config.namespace,
      pollId,
      worker: reference.worker,
      taskQueues: this.#taskQueues,
      maxTasks: offered,
      lease: durationFromMs(leaseMs),
      confirmWithin: durationFromMs(Math.min(confirmWithinMs, leaseMs)),
      wait: durationFromMs(isBrief ? 0 : waitMs),
      receivedPollIds,
      answers: answers.map(({ answer }) => answer),
      requestId: answers.length > 0 ? config.newId() : "",
      ...(maxPerSecond !== undefined && { taskQueueRatePerSecond: maxPerSecond }),
    };
    let tries = 0;
    confirmations.polling(pollId);
    const answering = link.insist("PollTasks", {
      attempt: () => {
        if (tries++ > 0) {
          // The server may have been restarted, and knows nothing of the worker.
          reference = registrations.fullReference();
          request.worker = reference.worker;
          // To be answered soon, so that the worker knows where it stands. (With answers it is anyway.)
          if (answers.length === 0) request.wait = durationFromMs(repeatedWaitMs);
        }
        return services.workers.pollTasks(request, { signal: this.#ending.signal, timeoutMs: waitMs + graceMs });
      },
      // Once a poll was answered such errors come from a proxy, or a server being replaced, and the worker stays.
      givesUpOn: (error) =>
        error.reason === "POLL_SUPERSEDED" ||
        (answers.length > 0 && isTooLarge(error)) ||
        (isLasting(error) && (answers.length > 0 || !link.hasAnswered("PollTasks"))),
      signal: this.#ending.signal,
    });
    const response = await answering.finally(() => confirmations.polled(pollId));
    reference.answered(response.registrationsWanted);
    confirmations.confirmed(receivedPollIds);
    if (response.tasks.length > 0) confirmations.add(pollId, config.clock.now());
    onDrainRequested(response.drainRequested);
    return response;
  }

  #settle(poll: Poll, response: PollTasksResponse): void {
    const { answers } = poll;
    if (response.answerStatuses.length === answers.length) {
      // The lease of one whose answer was refused stays, and so does its slot.
      for (const [index, { held }] of answers.entries()) {
        const isRefused = response.answerStatuses[index]?.result === AnswerResult.REFUSED;
        if (!isRefused || held === undefined || !poll.lent.includes(held)) continue;
        poll.offered--;
        held.returnSlot();
      }
      this.#options.outbox.settle(answers, response.answerStatuses);
      return;
    }
    // A server that does not take answers with a poll.
    this.#carriesAnswers = false;
    this.#unload(poll);
  }

  /**
   * Those that are still this worker's. After the event loop was blocked an answer may have lain there for long, and its tasks
   * have gone back to the server, unconfirmed: so it is asked before they are begun. If it cannot say, the renewals will.
   */
  async #current(tasks: readonly DispatchedTask[]): Promise<readonly DispatchedTask[]> {
    const { client, registrations, wasBlocked } = this.#options;
    if (tasks.length === 0 || !wasBlocked()) return tasks;
    const request = {
      namespace: client.config.namespace,
      worker: registrations.reference().worker,
      tokens: tasks.map(({ token }) => token),
    };
    try {
      const { lostTokens } = await client.services.workers.renewLeases(request, { signal: this.#ending.signal });
      const lost = new Set(lostTokens.map(tokenKey));
      return tasks.filter(({ token }) => !lost.has(tokenKey(token)));
    } catch {
      return tasks;
    }
  }

  /** Begins as many as there are slots for, and gives back the others. */
  #begin(poll: Poll, tasks: readonly DispatchedTask[]): void {
    const { client, held, slots, outbox, begin, refuse } = this.#options;
    const nowMs = client.config.clock.now();
    const taken: HeldTask[] = [];
    for (const task of tasks) {
      const key = tokenKey(task.token);
      if (held.has(key)) continue;
      if (this.#isStopping) {
        refuse(task, "the worker is shutting down");
      } else if (poll.offered === 0) {
        refuse(task, "the worker was sent more tasks than it has slots");
      } else {
        poll.offered--;
        taken.push(new HeldTask(task, key, slots, nowMs));
      }
    }
    if (taken.length === 0) return;
    // All before the first begins: should it block the event loop, the leases of the others are kept as well.
    held.add(taken);
    begin(taken);
    outbox.hurry();
  }
}
