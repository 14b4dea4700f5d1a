/* Workers of two versions: they poll, answer, renew; some stall past their lease and answer late, some never come back. */
import { TaskQueueKind, type PollTasksResponse } from "@tq/proto";
import { someAnswer, success, type Ids } from "./answers.ts";
import type { Request } from "./history.ts";
import type { Call, Network } from "./network.ts";
import type { Random } from "./random.ts";
import type { Repeater } from "./repeater.ts";
import { someNamespace } from "./producers.ts";
import { builds, duration, namespaces, ownQueue, queues, type Build, type QueueRef } from "./scenery.ts";
import {
  asked,
  nameOf,
  readPoll,
  refOf,
  statusesOf,
  tokenName,
  typesOf,
  type AnswerMessage,
} from "./worker-messages.ts";

/** Most workers at once. */
const mostWorkers = 4;
/** Workers of the past whose queues still get tasks. */
const ownQueuesKept = 6;
/** Tokens of the past that are kept, to be presented again. */
const oldTokensKept = 40;

interface Held {
  readonly token: Uint8Array;
  readonly isWorkflow: boolean;
  cancelRequested: boolean;
}

interface Poll {
  readonly call: Call<PollTasksResponse>;
  readonly pollId: string;
}

interface Worker {
  readonly id: string;
  readonly namespace: string;
  /** Its own queue, if it has one: it polls it with each poll. */
  readonly own: QueueRef | undefined;
  readonly build: Build;
  readonly slots: number;
  readonly leaseMs: number;
  readonly confirmWithinMs: number | undefined;
  readonly rate: number | undefined;
  readonly held: Map<string, Held>;
  readonly receivedPollIds: string[];
  /** The poll that waits. */
  polling: { readonly poll: Poll; readonly abort: AbortController } | undefined;
  /** A poll whose answer was lost, to be made again. */
  lostPoll: Poll | undefined;
  sendRegistrations: boolean;
  noticesSeen: string;
}

/** All workers of a run. */
export class SimulatedWorkers {
  readonly #random: Random;
  readonly #network: Network;
  readonly #repeater: Repeater;
  /** Undefined while no more tasks are wanted. */
  readonly #ids: (namespace: string) => Ids | undefined;
  #workers: Worker[] = [];
  /** What may come: two versions and one that takes everything, or the newer version alone once it rolls out. */
  #builds = builds;
  readonly #own = new Map<string, QueueRef[]>(namespaces.map((namespace) => [namespace, []]));
  readonly #old: { readonly workerId: string; readonly namespace: string; readonly held: Held }[] = [];
  #hired = 0;
  #polls = 0;

  constructor(random: Random, network: Network, repeater: Repeater, ids: (namespace: string) => Ids | undefined) {
    this.#random = random;
    this.#network = network;
    this.#repeater = repeater;
    this.#ids = ids;
  }

  /** A worker comes. */
  hire(): void {
    if (this.#workers.length >= mostWorkers) return;
    const random = this.#random;
    this.#hired += 1;
    const leaseMs = random.pick([1_000, 5_000, 10_000, 30_000]);
    const id = `worker-${this.#hired}`;
    const namespace = someNamespace(random);
    const own = random.chance(0.4) ? ownQueue(id) : undefined;
    if (own !== undefined) this.#noteOwn(namespace, own);
    this.#workers.push({
      id,
      namespace,
      own,
      build: random.pick(this.#builds),
      slots: random.int(1, 5),
      leaseMs,
      confirmWithinMs: random.chance(0.3) ? random.int(1_000, Math.min(leaseMs, 5_000)) : undefined,
      rate: random.chance(0.15) ? random.pick([0.5, 2, 10]) : undefined,
      held: new Map(),
      receivedPollIds: [],
      polling: undefined,
      lostPoll: undefined,
      sendRegistrations: true,
      noticesSeen: "",
    });
  }

  /** One of them, for an operator; undefined: there is none. */
  someWorker(): { readonly id: string; readonly namespace: string } | undefined {
    return this.#workers.length === 0 ? undefined : this.#random.pick(this.#workers);
  }

  /** The queues of single workers of a namespace, some of whom may be gone. */
  ownQueues(namespace: string): readonly QueueRef[] {
    return this.#own.get(namespace) ?? [];
  }

  /** The newer version takes the place of the older one: one worker goes, another comes; both are at work until the last. */
  rollOut(): void {
    this.#builds = builds.filter(({ id }) => id === "v2");
    const old = this.#workers.find(({ build }) => build.id === "v1");
    if (old !== undefined) this.#shutDown(old);
    this.hire();
  }

  /** A worker is gone without a word. What it had may still be answered, late. */
  vanish(): void {
    if (this.#workers.length === 0) return;
    const gone = this.#random.pick(this.#workers);
    this.#workers = this.#workers.filter((worker) => worker !== gone);
    gone.polling?.abort.abort();
    for (const held of gone.held.values()) this.#remember(gone, held);
  }

  /** A worker says that it goes, and goes. */
  shutDown(): void {
    if (this.#workers.length > 0) this.#shutDown(this.#random.pick(this.#workers));
  }

  #shutDown(worker: Worker): void {
    const { id: workerId, namespace } = worker;
    void this.#network.call({
      actor: workerId,
      request: { method: "shutdown", requestId: "", workerId },
      send: async (services, signal) => services.workers.shutdownWorker({ namespace, workerId }, { signal }),
      read: () => ({ method: "done", answer: "" }),
    });
    this.#workers = this.#workers.filter((other) => other !== worker);
    for (const held of worker.held.values()) this.#remember(worker, held);
  }

  /** A worker with free slots polls; or polls again whose poll's answer was lost. */
  poll(): void {
    const idle = this.#workers.filter(({ polling, held, slots }) => polling === undefined && held.size < slots);
    if (idle.length === 0) {
      this.hire();
      return;
    }
    const worker = this.#random.pick(idle);
    const { lostPoll } = worker;
    worker.lostPoll = undefined;
    void this.#poll(worker, lostPoll ?? this.#newPoll(worker));
  }

  /** A worker believes that its poll's connection is broken, and polls again with the same id; or just goes away from it. */
  breakPoll(): void {
    const waiting = this.#workers.filter(({ polling }) => polling !== undefined);
    if (waiting.length === 0) return;
    const worker = this.#random.pick(waiting);
    const { polling } = worker;
    if (polling === undefined) return;
    // The server may or may not notice that the caller is gone.
    if (this.#random.chance(0.5)) polling.abort.abort();
    if (this.#random.chance(0.7)) void this.#poll(worker, polling.poll);
    else worker.polling = undefined;
  }

  /** A worker answers some of what it has. */
  respond(): void {
    const worker = this.#oneThatHolds();
    if (worker === undefined) this.poll();
    else this.#respond(worker, this.#answersOf(worker));
  }

  /** Somebody presents tokens of the past. */
  answerLate(): void {
    if (this.#old.length === 0) return;
    const { workerId, namespace, held } = this.#random.pick(this.#old);
    this.#respond({ id: workerId, namespace }, [this.#answer(held, namespace)]);
  }

  /** A worker renews what it has, or some of it. */
  renew(): void {
    const worker = this.#oneThatHolds();
    if (worker === undefined) this.poll();
    else void this.#renew(worker);
  }

  /** Everybody leaves who is here, in good order. */
  dismiss(): void {
    for (const worker of this.#workers) {
      worker.polling?.abort.abort();
      for (const held of worker.held.values()) this.#remember(worker, held);
    }
    this.#workers = [];
  }

  /** A worker that takes everything says that it is there, polls every queue, waits for nothing, and completes what it gets. */
  async workThrough(): Promise<void> {
    await Promise.all(namespaces.map(async (namespace) => this.#workThrough(namespace)));
  }

  async #workThrough(namespace: string): Promise<void> {
    const workerId = `the-last-of-${namespace}`;
    await this.#network.call({
      actor: workerId,
      request: { method: "renew", requestId: "", workerId, tokens: [], receivedPollIds: [] },
      send: async (services, signal) => services.workers.renewLeases({ namespace, worker: { workerId } }, { signal }),
      read: () => ({ method: "done", answer: "" }),
    });
    const { message } = await this.#network.call({
      actor: workerId,
      request: {
        method: "poll",
        namespace,
        requestId: "",
        pollId: "",
        workerId,
        types: undefined,
        queues: queues.map(nameOf),
        maxTasks: 1_000,
        leaseMs: 30_000,
        waitMs: 0,
        receivedPollIds: [],
        answers: [],
      },
      send: async (services, signal) =>
        services.workers.pollTasks(
          { namespace, worker: { workerId }, taskQueues: [...queues], maxTasks: 1_000, wait: duration(0) },
          { signal },
        ),
      read: readPoll,
    });
    const tasks = message?.tasks ?? [];
    if (tasks.length > 0)
      this.#respond(
        { id: workerId, namespace },
        tasks.map(({ token }) => ({ token, answer: success })),
      );
  }

  #newPoll(worker: Worker): Poll {
    const random = this.#random;
    this.#polls += 1;
    const pollId = random.chance(0.85) ? `poll-${this.#polls}` : "";
    const taskQueues = random.chance(0.4) ? [...queues] : random.some(queues, 0.5);
    if (taskQueues.length === 0) taskQueues.push(random.pick(queues));
    if (worker.own !== undefined) taskQueues.push(worker.own);
    const { id: workerId, namespace, leaseMs, confirmWithinMs, held, slots, rate } = worker;
    const answers = held.size > 0 && random.chance(0.3) ? this.#answersOf(worker) : [];
    const maxTasks = slots - held.size;
    const waitMs = random.pick([0, 0, 1_000, 20_000, 60_000]);
    const receivedPollIds = random.chance(0.8) ? worker.receivedPollIds.splice(0) : [];
    const requestId = answers.length > 0 ? this.#repeater.requestId() : "";
    return {
      pollId,
      call: {
        actor: workerId,
        request: {
          method: "poll",
          namespace,
          requestId,
          pollId,
          workerId,
          types: typesOf(worker.build),
          queues: taskQueues.map(nameOf),
          maxTasks,
          leaseMs,
          ...(confirmWithinMs !== undefined && { confirmWithinMs }),
          waitMs,
          receivedPollIds,
          answers: asked(answers),
        },
        send: async (services, signal) =>
          services.workers.pollTasks(
            {
              namespace,
              pollId,
              worker: refOf(worker),
              taskQueues,
              maxTasks,
              lease: duration(leaseMs),
              ...(confirmWithinMs !== undefined && { confirmWithin: duration(confirmWithinMs) }),
              wait: duration(waitMs),
              receivedPollIds,
              answers,
              requestId,
              ...(rate !== undefined && { taskQueueRatePerSecond: rate }),
            },
            { signal },
          ),
        read: readPoll,
      },
    };
  }

  async #poll(worker: Worker, poll: Poll): Promise<void> {
    const polling = { poll, abort: new AbortController() };
    worker.polling = polling;
    const { outcome, message } = await this.#network.call(poll.call, polling.abort.signal);
    const isCurrent = worker.polling === polling;
    if (isCurrent) worker.polling = undefined;
    if (message === undefined) {
      if (isCurrent && outcome.kind === "lost" && poll.pollId !== "" && this.#random.chance(0.7))
        worker.lostPoll = poll;
      return;
    }
    worker.sendRegistrations = message.registrationsWanted;
    if (poll.pollId !== "") worker.receivedPollIds.push(poll.pollId);
    for (const { token, taskQueue } of message.tasks) {
      const isWorkflow = taskQueue?.kind === TaskQueueKind.WORKFLOW;
      worker.held.set(tokenName(token), { token, isWorkflow, cancelRequested: false });
    }
  }

  async #renew(worker: Worker): Promise<void> {
    const random = this.#random;
    const held = random.chance(0.8) ? [...worker.held.values()] : random.some([...worker.held.values()], 0.5);
    const tokens = held.map(({ token }) => token);
    const heartbeats = random.some(held, 0.4).map(({ token }) => ({
      token,
      ...(random.chance(0.7) && { details: { body: { case: "text" as const, value: `${random.int(0, 99)}` } } }),
    }));
    const receivedPollIds = worker.receivedPollIds.splice(0);
    const hold = duration(random.pick([0, 0, 5_000, 30_000]));
    const { noticesSeen, id: workerId, namespace } = worker;
    const { message } = await this.#network.call({
      actor: workerId,
      request: { method: "renew", requestId: "", workerId, tokens: tokens.map(tokenName), receivedPollIds },
      send: async (services, signal) =>
        services.workers.renewLeases(
          { namespace, worker: refOf(worker), tokens, heartbeats, receivedPollIds, hold, noticesSeen },
          { signal },
        ),
      read: ({ lostTokens, cancelRequests }) => ({
        method: "renew",
        lost: lostTokens.map(tokenName),
        canceled: cancelRequests.map(({ token }) => tokenName(token)),
      }),
    });
    if (message === undefined) return;
    worker.noticesSeen = message.noticesSeen;
    worker.sendRegistrations = message.registrationsWanted;
    for (const { token } of message.cancelRequests) {
      const task = worker.held.get(tokenName(token));
      if (task !== undefined) task.cancelRequested = true;
    }
    for (const token of message.lostTokens) this.#letGo(worker, token);
  }

  #respond({ id: workerId, namespace }: Pick<Worker, "id" | "namespace">, answers: AnswerMessage[]): void {
    const requestId = this.#repeater.requestId();
    const request: Request = { method: "respond", requestId, workerId, answers: asked(answers) };
    void this.#repeater.make({
      actor: workerId,
      request,
      send: async (services, signal) =>
        services.workers.respondTasks({ namespace, workerId, requestId, answers }, { signal }),
      read: (message) => ({ method: "statuses", statuses: statusesOf(message.statuses) }),
    });
  }

  /** Takes some of what a worker has off it, to be answered. */
  #answersOf(worker: Worker): AnswerMessage[] {
    const all = [...worker.held.values()];
    const some = this.#random.some(all, 0.6);
    return (some.length > 0 ? some : all.slice(0, 1)).map((held) => {
      this.#letGo(worker, held.token);
      return this.#answer(held, worker.namespace);
    });
  }

  #answer(held: Held, namespace: string): AnswerMessage {
    return { token: held.token, answer: someAnswer(this.#random, held, this.#ids(namespace)) };
  }

  #noteOwn(namespace: string, queue: QueueRef): void {
    const own = this.#own.get(namespace) ?? [];
    own.push(queue);
    if (own.length > ownQueuesKept) own.shift();
  }

  #oneThatHolds(): Worker | undefined {
    const holding = this.#workers.filter(({ held }) => held.size > 0);
    return holding.length === 0 ? undefined : this.#random.pick(holding);
  }

  #letGo(worker: Worker, token: Uint8Array): void {
    const held = worker.held.get(tokenName(token));
    if (held === undefined) return;
    worker.held.delete(tokenName(token));
    this.#remember(worker, held);
  }

  #remember(worker: Worker, held: Held): void {
    this.#old.push({ workerId: worker.id, namespace: worker.namespace, held });
    if (this.#old.length > oldTokensKept) this.#old.shift();
  }
}
