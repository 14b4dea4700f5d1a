/*
 * The matching service: it takes calls, puts what they ask into commits, and wakes itself when the core or the store says
 * so. All decisions are the core's or the store's; who waits for what is in the files beside this one.
 */
import { taskQueueKey, workerKey, Workers, type LeaseRef, type LiveWorker, type TaskQueue } from "@tq/matching-core";
import type {
  AnswerOperationResult,
  ConfirmOperation,
  Committed,
  DispatchedTask,
  Operation,
  ResultOf,
  Store,
  UnconfirmedDelivery,
} from "@tq/storage";
import { ServerTime, type Clock } from "../clock.ts";
import { Alarm } from "./alarm.ts";
import { waitForTasks } from "./closing-waits.ts";
import { Closings } from "./closings.ts";
import { Confirmations } from "./confirmations.ts";
import { GroupCommit, type CommitParticipant } from "./group-commit.ts";
import {
  ShuttingDown,
  type Matching,
  type PollCall,
  type PollReply,
  type QueueActivity,
  type ServiceHealth,
} from "./matching.ts";
import { News } from "./news.ts";
import { Rates } from "./rates.ts";
import { renewAndHold, type RenewOnce } from "./renewals.ts";
import { TimedWork } from "./timed-work.ts";
import { pollKey, WaitingPolls, type ArrivedPoll } from "./waiting-polls.ts";

/** What the engine needs. */
export interface EngineOptions {
  readonly store: Store;
  readonly clock: Clock;
  /** Of this run of the server. */
  readonly instanceId: string;
  /** The most bytes of an answer. */
  readonly maxReplyBytes: number;
  /** Called once if another server has taken the store over, or the disk has failed: this one must stop. */
  readonly onFatal: (error: Error) => void;
}

/** Goes with what the store is to be told of confirmations in the same commit. */
const nothingMore: ConfirmOperation = { verb: "confirm", deliveries: [] };
/** Of a poll that brought none. */
const noAnswers: AnswerOperationResult = { verb: "answer", statuses: [] };

/** The server behind the RPC handlers. Make one, `start` it, and `stop` it. */
export class Engine implements Matching {
  readonly #options: EngineOptions;
  readonly #time: ServerTime;
  readonly #workers: Workers;
  readonly #confirmations = new Confirmations();
  readonly #closings = new Closings();
  readonly #rates = new Rates();
  readonly #timed: TimedWork;
  readonly #news: News;
  readonly #polls: WaitingPolls;
  readonly #alarm: Alarm;
  #running: { readonly group: GroupCommit; readonly epoch: number; readonly startedAt: number } | undefined;
  #draining = false;

  constructor(options: EngineOptions) {
    const { clock, store, instanceId, maxReplyBytes } = options;
    this.#options = options;
    this.#time = new ServerTime(clock);
    this.#news = new News(instanceId);
    this.#alarm = new Alarm(clock, this.#time, () => this.#ring());
    this.#workers = new Workers({
      served: (queueKey) => this.#timed.served(queueKey),
      unserved: (queue, now) => this.#timed.unserved(queue, now),
      askedRateChanged: (queueKey) => {
        this.#polls.touch(queueKey);
        if (this.#polls.wantsClaim) this.#running?.group.wake();
      },
    });
    this.#timed = new TimedWork({
      confirmations: this.#confirmations,
      isServed: (queueKey) => this.#workers.serves(queueKey),
    });
    this.#polls = new WaitingPolls({
      time: this.#time,
      workers: this.#workers,
      confirmations: this.#confirmations,
      rates: this.#rates,
      maxReplyBytes,
      countLeased: async ({ worker, pollId }) => store.countLeased(worker.namespace, worker.workerId, pollId),
      repoll: async (operation) => (await this.#submit(operation)).tasks,
      giveBack: (tasks) => this.#giveBack(tasks),
      arrived: () => this.#pollArrived(),
    });
  }

  /** Opens the store and begins to work. Throws StoreError if another server has it. */
  async start(): Promise<void> {
    const { store, clock } = this.#options;
    const opened = await store.open(this.#time.now());
    this.#time.atLeast(opened.now);
    const group = new GroupCommit(store, opened.lease, clock, this.#time, this.#participant());
    const startedAt = this.#time.now();
    this.#running = { group, epoch: opened.lease.epoch, startedAt };
    for (const { namespace, workerId } of opened.drainedWorkers) this.#workers.drain(namespace, workerId, startedAt);
    this.#timed.start(opened, startedAt);
    const keyOf = ({ namespace, workerId, pollId }: UnconfirmedDelivery): string =>
      pollKey(namespace, workerId, pollId);
    this.#confirmations.start(opened.unconfirmed, keyOf, startedAt);
    this.#setAlarm();
  }

  /** Takes nothing new; answers everyone who waits; what is in flight is committed. */
  async drain(): Promise<void> {
    this.#draining = true;
    this.#polls.endAll();
    this.#news.end();
    this.#closings.wakeAll();
    await this.#running?.group.stop();
  }

  /** Drains and closes the store. */
  async stop(): Promise<void> {
    await this.drain();
    this.#alarm.clear();
    this.#running = undefined;
    await this.#options.store.close();
  }

  now(): number {
    return this.#time.now();
  }

  add: Matching["add"] = async (operation) => this.#submit(operation);
  cancel: Matching["cancel"] = async (operation) => this.#submit(operation);
  note: Matching["note"] = async (operation) => this.#submit(operation);
  operate: Matching["operate"] = async (operation) => this.#submit(operation);

  drainWorker: Matching["drainWorker"] = async (operation) => {
    const result = await this.#submit(operation);
    if ("refused" in result) return result;
    const worker = this.#workers.drain(operation.namespace, operation.workerId, this.now());
    if (worker === undefined) return result;
    this.#polls.endOf(worker);
    this.#news.publish(workerKey(worker));
    this.#setAlarm();
    return result;
  };

  backup: Matching["backup"] = async (path, onProgress) => {
    this.#group();
    try {
      return await this.#options.store.backup(path, (progress) => {
        // A stop does not wait for it. What is thrown here ends it.
        if (this.#draining) throw new ShuttingDown();
        onProgress(progress);
      });
    } catch (error) {
      throw this.#draining ? new ShuttingDown() : error;
    }
  };

  answer: Matching["answer"] = async (operation, { workerId, receivedPollIds }) => {
    const { namespace, answers } = operation;
    this.#mentioned(namespace, workerId, receivedPollIds, answers);
    const worker = this.#workers.get(namespace, workerId);
    if (worker !== undefined) this.#workers.calledAgain(worker, this.now());
    return this.#submit(operation);
  };

  poll: Matching["poll"] = async (call) => {
    const { namespace, workerId } = call.worker;
    this.#group();
    const worker = this.#workers.seen(call.worker, this.now());
    this.#mentioned(namespace, workerId, call.receivedPollIds, call.answers?.answers ?? []);
    // The whole call is one that is open, also while the store takes its time; and it names its queues, also where it cannot
    // wait yet since its registrations have to be asked for: after a start that is every worker.
    this.#workers.callOpened(worker, call.queues);
    // No function waits until it ends: thousands may be open.
    let poll: ArrivedPoll;
    let begun: AnswerOperationResult;
    try {
      poll = await this.#polls.arrive(call, worker);
      begun = await this.#begin(poll, call);
    } catch (error) {
      this.#callEnded(worker, call.queues);
      throw error;
    }
    return poll.tasks.then((tasks) => this.#pollEnded(call, worker, begun, tasks));
  };

  renew: Matching["renew"] = async (call) => {
    const { namespace, workerId } = call.worker;
    const { clock } = this.#options;
    this.#group();
    const worker = this.#workers.seen(call.worker, this.now());
    const leases = call.leases.map((lease) => ({ lease }));
    for (const pollId of call.heldUpPollIds) this.#polls.endOne(pollKey(namespace, workerId, pollId));
    this.#mentioned(namespace, workerId, [...call.receivedPollIds, ...call.heldUpPollIds], leases);
    const key = workerKey({ namespace, workerId });
    /** Those of its tasks: it serves them, too, for as long as the call is held. */
    let queues: readonly TaskQueue[] | undefined;
    const renewOnce: RenewOnce = async (heartbeats) => {
      const pollIds = call.heldUpPollIds;
      const renewed = await this.#submit({
        verb: "renew",
        namespace,
        workerId,
        leases: call.leases,
        pollIds,
        heartbeats,
      });
      if (queues === undefined) this.#workers.callOpened(worker, (queues = renewed.queues));
      return renewed;
    };
    this.#workers.callOpened(worker, call.queues);
    try {
      const renewed = await renewAndHold(call, key, this.#news, clock, this.#time, renewOnce);
      const registrationsWanted = this.#workers.registrationsOf(worker) === undefined;
      return { ...renewed, drainRequested: this.#tellOfDrain(worker), registrationsWanted };
    } finally {
      if (queues !== undefined) this.#workers.callClosed(worker, queues, this.now());
      this.#callEnded(worker, call.queues);
    }
  };

  heartbeat: Matching["heartbeat"] = async ({ namespace, heartbeats }) => {
    this.#group();
    const leases = heartbeats.map(({ lease }) => lease);
    // Who has the token has the delivery, whatever has become of the worker that it went to.
    this.#confirmations.confirm(leases);
    const { lost, cancels } = await this.#submit({ verb: "renew", namespace, leases, heartbeats });
    this.#setAlarm();
    return { lost, cancels };
  };

  shutdownWorker(namespace: string, workerId: string): void {
    const worker = this.#workers.get(namespace, workerId);
    if (worker === undefined) return;
    this.#workers.shutDown(worker, this.now());
    this.#polls.endOf(worker);
    this.#setAlarm();
  }

  getTasks: Matching["getTasks"] = async (call) => {
    const { store, clock } = this.#options;
    this.#group();
    return waitForTasks(call, store, this.#closings, clock, () => this.#draining);
  };

  get reader(): Store {
    return this.#options.store;
  }

  activityOf(queue: TaskQueue): QueueActivity {
    const free = this.#polls.freeSlots(queue);
    const workers = this.#workers
      .ofQueue(queue)
      .map((worker) => ({ ...worker, freeSlots: free.get(worker.workerId) ?? 0 }));
    const group = this.#running?.group;
    const askedRate = this.#workers.askedRate(taskQueueKey(queue));
    return {
      ...this.#rates.of(queue, this.now()),
      workers,
      ...(askedRate !== undefined && { askedRate }),
      ...(group?.retryAt !== undefined && { storeError: group.lastError }),
    };
  }

  workersOf(namespace: string, queue?: TaskQueue): readonly LiveWorker[] {
    if (queue !== undefined) return this.#workers.ofQueue(queue);
    return [...this.#workers.all()].filter((worker) => worker.namespace === namespace);
  }

  workerOf(namespace: string, workerId: string): LiveWorker | undefined {
    return this.#workers.get(namespace, workerId);
  }

  isDrained(namespace: string, workerId: string): boolean {
    return this.#workers.isDrained(namespace, workerId);
  }

  polledQueues(namespace: string): readonly TaskQueue[] {
    return this.#workers.queuesOf(namespace);
  }

  get waitingPolls(): number {
    return this.#polls.size;
  }

  get liveWorkers(): number {
    return this.#workers.size;
  }

  services(): readonly ServiceHealth[] {
    const group = this.#running?.group;
    const { lastProgressAt = 0, lastError = "" } = group ?? {};
    return [{ name: "group-commit", running: group !== undefined, lastProgressAt, lastError }];
  }

  get info(): Matching["info"] {
    const { store, instanceId } = this.#options;
    const { epoch, startedAt } = this.#running ?? { epoch: 0, startedAt: 0 };
    return { storage: store.description, epoch, instanceId, startedAt };
  }

  /** Carries out what a poll brings along, and begins to wait with it. */
  async #begin(poll: ArrivedPoll, call: PollCall): Promise<AnswerOperationResult> {
    try {
      if (call.answers === undefined && !this.#confirmations.isAheadOfStore) {
        poll.begin();
        return noAnswers;
      }
      if (call.answers === undefined) {
        // What it says that it has received is on disk before it is answered: it will not say so again.
        await this.#group().submit(nothingMore, () => poll.beginInCommit(), call.waitMs === 0);
        return noAnswers;
      }
      // It begins in the transaction of its answers, behind them: a slot is free before it is filled, and both cost one fsync.
      const answered = await this.#group().submit(
        call.answers,
        (result) => {
          if (!("refused" in result)) poll.beginInCommit();
        },
        call.waitMs === 0,
      );
      if ("refused" in answered) poll.abandon();
      return answered;
    } catch (error) {
      poll.abandon();
      throw error;
    }
  }

  /** What a poll that has ended is answered with. */
  async #pollEnded(
    call: PollCall,
    worker: LiveWorker,
    begun: AnswerOperationResult,
    tasks: readonly DispatchedTask[] | undefined,
  ): Promise<PollReply> {
    try {
      if ("refused" in begun) return { kind: "refused", refused: begun.refused };
      if (tasks === undefined) return { kind: "superseded" };
      if (tasks.length > 0) await this.#running?.group.durable;
      return {
        kind: "answered",
        tasks,
        statuses: begun.statuses,
        registrationsWanted: this.#workers.registrationsOf(worker) === undefined,
        drainRequested: this.#tellOfDrain(worker),
      };
    } finally {
      this.#callEnded(worker, call.queues);
    }
  }

  /** A call of a worker that named these queues has ended: until then the worker lived, and served them. */
  #callEnded(worker: LiveWorker, queues: readonly TaskQueue[]): void {
    this.#workers.callClosed(worker, queues, this.now());
    this.#setAlarm();
  }

  /** What an answer to a worker says of its drain, of which it then knows. */
  #tellOfDrain(worker: LiveWorker): boolean {
    worker.toldOfDrain = worker.draining;
    return worker.draining;
  }

  /** The worker says that these polls' answers have arrived, and names deliveries that it has. */
  #mentioned(
    namespace: string,
    workerId: string,
    pollIds: readonly string[],
    having: readonly { readonly lease: LeaseRef }[],
  ): void {
    for (const id of pollIds) this.#confirmations.confirmPoll(pollKey(namespace, workerId, id));
    this.#confirmations.confirm(having.map(({ lease }) => lease));
    // With whatever else the call asks for; alone if it asks for nothing.
    if (this.#confirmations.isAheadOfStore) this.#running?.group.wake();
  }

  /** These reached nobody: they go back at once. */
  #giveBack(tasks: readonly DispatchedTask[]): void {
    const leases = tasks.map(({ lease }) => lease);
    this.#confirmations.confirm(leases);
    this.#timed.giveBack(leases, "undelivered");
    this.#running?.group.wake();
  }

  #pollArrived(): void {
    if (this.#polls.wantsClaim) this.#running?.group.wake();
    this.#setAlarm();
  }

  #participant(): CommitParticipant {
    const polls = this.#polls;
    return {
      get wantsClaim() {
        return polls.wantsClaim;
      },
      timedOperations: (now) => this.#timed.operations(now),
      plan: (touched, now) => polls.plan(touched, now),
      committed: (committed, timed) => this.#committed(committed, timed),
      isAwaited: (closed) => this.#closings.isAwaited(closed),
      failed: (timed) => {
        this.#timed.failed(timed, this.now());
        this.#endOverdue();
      },
      claimsFailed: () => polls.claimsFailed(),
      storeLost: (error) => this.#options.onFatal(error),
    };
  }

  #committed(committed: Committed, timed: readonly Operation[]): void {
    const { now } = committed;
    this.#polls.committed(committed);
    for (const [key, tasks] of committed.added) this.#rates.added(key, tasks, now);
    this.#closings.publish(committed.closed);
    for (const notice of committed.notices) {
      // One that is gone reads what there is when it comes back.
      if (this.#workers.get(notice.namespace, notice.workerId) !== undefined) this.#news.publish(workerKey(notice));
    }
    this.#timed.committed(committed, timed);
    this.#endOverdue();
  }

  /** Ends what is over by time alone. */
  #endOverdue(): void {
    const now = this.now();
    this.#polls.endOverdue(now);
    this.#rates.forgetQuiet(now);
    for (const worker of this.#workers.takeGone(now)) this.#news.forget(workerKey(worker));
    this.#setAlarm();
  }

  /** When a commit is next due, at the earliest. Not while the store refuses: the group tries again by itself. */
  #commitDue(): number {
    const due = Math.min(this.#timed.due(), this.#polls.nextClaim() ?? Infinity);
    return Math.max(due, this.#running?.group.retryAt ?? 0);
  }

  #setAlarm(): void {
    if (this.#running === undefined) return;
    this.#alarm.setToEarliest(
      this.#commitDue(),
      this.#polls.nextWake(),
      this.#workers.nextWake(),
      this.#rates.nextWake(),
    );
  }

  #ring(): void {
    const now = this.now();
    if (this.#commitDue() <= now) this.#running?.group.wake();
    this.#endOverdue();
  }

  async #submit<O extends Operation>(operation: O): Promise<ResultOf<O>> {
    return this.#group().submit(operation);
  }

  #group(): GroupCommit {
    if (this.#draining || this.#running === undefined) throw new ShuttingDown();
    return this.#running.group;
  }
}
