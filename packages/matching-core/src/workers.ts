/*
 * Which workers live, what they have registered, and who drains. A worker is live while it has an open poll, or called
 * in the last 15 s. Held in memory only: after a start, workers make themselves known with their next call.
 */
import { Deadlines } from "./deadlines.ts";
import { earliest } from "./earliest.ts";
import { IdleWatch } from "./idle-watch.ts";
import type { TypeSet } from "./matcher.ts";
import { liveWorkerMs, ServedQueues, takesTasks, type QueueObserver, type ServingWorker } from "./served-queues.ts";
import type { TaskQueue } from "./task-queue.ts";

/** How long it is remembered that a worker is to take nothing new: a drained one goes, and its id never comes back. */
export const drainedWorkerKeptMs = 24 * 3_600_000;

/** What a worker can run; null where it registered nothing, and so takes everything. */
export interface Registrations {
  readonly activity: TypeSet;
  readonly workflow: TypeSet;
}

/** Takes every type. */
export const everything: Registrations = { activity: null, workflow: null };

/** How a worker says it does. */
export interface WorkerStatus {
  readonly activitySlots: number;
  readonly activitySlotsUsed: number;
  readonly workflowSlots: number;
  readonly workflowSlotsUsed: number;
}

/** What a call says about the worker that makes it. */
export interface WorkerCall {
  readonly namespace: string;
  readonly workerId: string;
  readonly identity: string;
  readonly buildId: string;
  /** Empty together with no `registrations`: nothing new is said about them. */
  readonly registrationsHash: string;
  readonly registrations?: Registrations;
  readonly status?: WorkerStatus;
}

/** A live worker. */
export interface LiveWorker extends ServingWorker {
  readonly namespace: string;
  readonly workerId: string;
  identity: string;
  buildId: string;
  readonly firstSeen: number;
  lastSeen: number;
  registrationsHash: string;
  /** Undefined while the server knows only the hash. */
  registrations: Registrations | undefined;
  status: WorkerStatus | undefined;
  openCalls: number;
  shuttingDown: boolean;
  draining: boolean;
  /** It has been told that it is drained: its polls are held then, so that one that goes on polling does not spin. */
  toldOfDrain: boolean;
}

const nobody: QueueObserver = {
  served: () => undefined,
  unserved: () => undefined,
  askedRateChanged: () => undefined,
};

/** One string for one worker, for maps. */
export function workerKey({ namespace, workerId }: Pick<WorkerCall, "namespace" | "workerId">): string {
  return `${namespace}\u0000${workerId}`;
}

/** Keeps the live workers. */
export class Workers {
  readonly #workers = new Map<string, LiveWorker>();
  readonly #idle = new IdleWatch<LiveWorker>(liveWorkerMs, ({ openCalls, lastSeen }) =>
    openCalls > 0 ? undefined : lastSeen,
  );
  /** By worker key, whether they live or not. */
  readonly #drained = new Deadlines<string>();
  readonly #served: ServedQueues<LiveWorker>;

  constructor(observer: QueueObserver = nobody) {
    this.#served = new ServedQueues(observer);
  }

  get size(): number {
    return this.#workers.size;
  }

  get(namespace: string, workerId: string): LiveWorker | undefined {
    return this.#workers.get(workerKey({ namespace, workerId }));
  }

  all(): Iterable<LiveWorker> {
    return this.#workers.values();
  }

  /** Live workers that serve this queue: see served-queues.ts. */
  ofQueue(queue: TaskQueue): readonly LiveWorker[] {
    return this.#served.ofQueue(queue);
  }

  /** Whether a live worker takes tasks from this queue. */
  serves(queueKey: string): boolean {
    return this.#served.isServed(queueKey);
  }

  /** The smallest rate of dispatch that a live worker of this queue asks for; undefined: none asks for one. */
  askedRate(queueKey: string): number | undefined {
    return this.#served.askedRate(queueKey);
  }

  /** A worker called. */
  seen(call: WorkerCall, now: number): LiveWorker {
    const key = workerKey(call);
    let worker = this.#workers.get(key);
    if (worker === undefined) {
      worker = {
        namespace: call.namespace,
        workerId: call.workerId,
        identity: call.identity,
        buildId: call.buildId,
        firstSeen: now,
        lastSeen: now,
        registrationsHash: "",
        registrations: undefined,
        status: undefined,
        openCalls: 0,
        shuttingDown: false,
        draining: this.#drained.has(key),
        toldOfDrain: false,
        queues: new Map(),
      };
      this.#workers.set(key, worker);
      this.#idle.watch(worker, now);
    }
    if (call.identity !== "") worker.identity = call.identity;
    if (call.buildId !== "") worker.buildId = call.buildId;
    if (call.status !== undefined) worker.status = call.status;
    if (call.registrations !== undefined) {
      worker.registrations = call.registrations;
      worker.registrationsHash = call.registrationsHash;
    } else if (call.registrationsHash !== "" && call.registrationsHash !== worker.registrationsHash) {
      worker.registrations = undefined;
      worker.registrationsHash = call.registrationsHash;
    }
    this.calledAgain(worker, now);
    return worker;
  }

  /** A known worker called, with nothing new to say of itself. */
  calledAgain(worker: LiveWorker, now: number): void {
    worker.lastSeen = now;
  }

  /** Queues of a namespace that live workers serve. */
  queuesOf(namespace: string): readonly TaskQueue[] {
    const queues = new Map<string, TaskQueue>();
    for (const worker of this.#workers.values()) {
      if (worker.namespace === namespace) for (const [key, { queue }] of worker.queues) queues.set(key, queue);
    }
    return [...queues.values()];
  }

  /** What the worker can run; undefined if the server has to ask. */
  registrationsOf(worker: LiveWorker): Registrations | undefined {
    return worker.registrations ?? (worker.registrationsHash === "" ? everything : undefined);
  }

  /**
   * A call of this worker is held open: while it is, the worker lives, and serves these queues. Take it back with
   * {@link callClosed}, with the same queues.
   */
  callOpened(worker: LiveWorker, queues: readonly TaskQueue[]): void {
    worker.openCalls += 1;
    this.#served.opened(worker, queues);
  }

  /** A worker wants so many dispatches per second of each of these, in place of what it last asked of them. */
  asks(worker: LiveWorker, queues: readonly TaskQueue[], rate: number | undefined): void {
    this.#served.ask(worker, queues, rate);
  }

  /** The worker says that it is going. */
  shutDown(worker: LiveWorker, now: number): void {
    if (takesTasks(worker)) this.#served.stopsTaking(worker, now);
    worker.shuttingDown = true;
  }

  /** This worker is to take nothing new, from now on and if it makes itself known later. Answers it if it lives. */
  drain(namespace: string, workerId: string, now: number): LiveWorker | undefined {
    const key = workerKey({ namespace, workerId });
    this.#drained.set(key, now + drainedWorkerKeptMs);
    const worker = this.#workers.get(key);
    if (worker === undefined) return undefined;
    if (takesTasks(worker)) this.#served.stopsTaking(worker, now);
    worker.draining = true;
    return worker;
  }

  /** A call of this worker is held open no more. */
  callClosed(worker: LiveWorker, queues: readonly TaskQueue[], now: number): void {
    worker.openCalls -= 1;
    worker.lastSeen = now;
    if (worker.openCalls === 0) this.#idle.watch(worker, now);
    this.#served.closed(worker, queues, now);
  }

  /** Whether this worker is to take nothing new, whether it lives or not. */
  isDrained(namespace: string, workerId: string): boolean {
    return this.#drained.has(workerKey({ namespace, workerId }));
  }

  /** Forgets the workers that have not called for too long, and answers them. */
  takeGone(now: number): LiveWorker[] {
    this.#drained.takeDue(now);
    const gone = this.#idle.takeIdle(now);
    for (const worker of gone) {
      this.#workers.delete(workerKey(worker));
      this.#served.gone(worker, now);
    }
    this.#served.forgetIdle(now);
    return gone;
  }

  /** When it wants to be woken, at the latest. */
  nextWake(): number | undefined {
    return earliest(this.#idle.next(), this.#drained.next(), this.#served.nextWake());
  }
}
