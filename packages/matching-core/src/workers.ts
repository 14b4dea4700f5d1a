/*
 * Which workers live, what they have registered, and who drains. A worker is live while it has an open poll, or called
 * in the last 15 s. Held in memory only: after a start, workers make themselves known with their next call.
 */
import { AskedRates } from "./asked-rate.ts";
import { Deadlines } from "./deadlines.ts";
import { taskQueueKey, type TaskQueue } from "./task-queue.ts";
import type { TypeSet } from "./matcher.ts";

/** A worker that has not called for so long, and has no open poll, is not live. The SDK calls every 5 s. */
export const liveWorkerMs = 15_000;

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
export interface LiveWorker {
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
  /** It said that it is going: it gets nothing new. */
  shuttingDown: boolean;
  /** An operator drains it: it gets nothing new, and finishes what it has. */
  draining: boolean;
  /** Queues that it has polled, or holds tasks of. */
  readonly queues: Map<string, TaskQueue>;
}

/** Whether a worker takes new tasks. One that does not still lives, but a queue that has only such is not served. */
export function takesTasks(worker: Pick<LiveWorker, "shuttingDown" | "draining">): boolean {
  return !worker.shuttingDown && !worker.draining;
}

/** Who is told as queues gain and lose their workers. */
export interface QueueObserver {
  /** A worker that takes tasks polls this queue; none did before. */
  readonly served: (queueKey: string) => void;
  /** The last worker that took tasks from this queue is gone, or takes no more. */
  readonly unserved: (queue: TaskQueue, now: number) => void;
  /** The smallest rate that its workers ask for is another one. */
  readonly askedRateChanged: (queueKey: string) => void;
}

const nobody: QueueObserver = {
  served: () => undefined,
  unserved: () => undefined,
  askedRateChanged: () => undefined,
};

/** The workers of one queue. */
interface OfQueue {
  readonly workers: Set<LiveWorker>;
  /** How many of them take tasks. */
  serving: number;
  readonly rates: AskedRates<LiveWorker>;
}

/** One string for one worker, for maps. */
export function workerKey({ namespace, workerId }: Pick<WorkerCall, "namespace" | "workerId">): string {
  return `${namespace}\u0000${workerId}`;
}

/** Keeps the live workers. */
export class Workers {
  readonly #workers = new Map<string, LiveWorker>();
  readonly #byQueue = new Map<string, OfQueue>();
  readonly #idle = new Deadlines<LiveWorker>();
  /** By worker key, whether they live or not. */
  readonly #drained = new Deadlines<string>();
  readonly #observer: QueueObserver;

  constructor(observer: QueueObserver = nobody) {
    this.#observer = observer;
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

  /** Live workers that have polled this queue. */
  ofQueue(queue: TaskQueue): readonly LiveWorker[] {
    return [...(this.#byQueue.get(taskQueueKey(queue))?.workers ?? [])];
  }

  /** Whether a live worker takes tasks from this queue. */
  serves(queueKey: string): boolean {
    return (this.#byQueue.get(queueKey)?.serving ?? 0) > 0;
  }

  /** The smallest rate of dispatch that a live worker of this queue asks for; undefined: none asks for one. */
  askedRate(queueKey: string): number | undefined {
    return this.#byQueue.get(queueKey)?.rates.smallest;
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
        queues: new Map(),
      };
      this.#workers.set(key, worker);
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
    if (worker.openCalls === 0) this.#idle.set(worker, now + liveWorkerMs);
  }

  /** Queues of a namespace that live workers have polled. */
  queuesOf(namespace: string): readonly TaskQueue[] {
    const queues = new Map<string, TaskQueue>();
    for (const worker of this.#workers.values()) {
      if (worker.namespace === namespace) for (const [key, queue] of worker.queues) queues.set(key, queue);
    }
    return [...queues.values()];
  }

  /** What the worker can run; undefined if the server has to ask. */
  registrationsOf(worker: LiveWorker): Registrations | undefined {
    return worker.registrations ?? (worker.registrationsHash === "" ? everything : undefined);
  }

  /** A call of this worker is held open: while it is, the worker lives. */
  callOpened(worker: LiveWorker): void {
    worker.openCalls += 1;
    this.#idle.delete(worker);
  }

  /**
   * A poll of this worker is held open.
   *
   * @param askedRate of dispatch, for each of these queues; takes the place of what its last poll of it asked for
   */
  pollOpened(worker: LiveWorker, queues: readonly TaskQueue[], askedRate?: number): void {
    this.callOpened(worker);
    for (const queue of queues) {
      const key = taskQueueKey(queue);
      if (this.#attach(worker, key, queue).rates.set(worker, askedRate)) this.#observer.askedRateChanged(key);
    }
  }

  /** A worker renewed tasks of these queues: it serves them, though it may have no slot free to poll with. */
  holds(worker: LiveWorker, queues: readonly TaskQueue[]): void {
    for (const queue of queues) this.#attach(worker, taskQueueKey(queue), queue);
  }

  /** The worker says that it is going. */
  shutDown(worker: LiveWorker, now: number): void {
    if (takesTasks(worker)) this.#stopServing(worker, now);
    worker.shuttingDown = true;
  }

  /** This worker is to take nothing new, from now on and if it makes itself known later. Answers it if it lives. */
  drain(namespace: string, workerId: string, now: number): LiveWorker | undefined {
    const key = workerKey({ namespace, workerId });
    this.#drained.set(key, now + drainedWorkerKeptMs);
    const worker = this.#workers.get(key);
    if (worker === undefined) return undefined;
    if (takesTasks(worker)) this.#stopServing(worker, now);
    worker.draining = true;
    return worker;
  }

  /** A call of this worker is held open no more. */
  callClosed(worker: LiveWorker, now: number): void {
    worker.openCalls -= 1;
    worker.lastSeen = now;
    if (worker.openCalls === 0) this.#idle.set(worker, now + liveWorkerMs);
  }

  /** Whether this worker is to take nothing new, whether it lives or not. */
  isDrained(namespace: string, workerId: string): boolean {
    return this.#drained.has(workerKey({ namespace, workerId }));
  }

  /** Forgets the workers that have not called for too long, and answers them. */
  takeGone(now: number): LiveWorker[] {
    this.#drained.takeDue(now);
    const gone = this.#idle.takeDue(now);
    for (const worker of gone) {
      this.#workers.delete(workerKey(worker));
      if (takesTasks(worker)) this.#stopServing(worker, now);
      for (const key of worker.queues.keys()) {
        const ofQueue = this.#byQueue.get(key);
        if (ofQueue === undefined) continue;
        ofQueue.workers.delete(worker);
        if (ofQueue.workers.size === 0) this.#byQueue.delete(key);
        else if (ofQueue.rates.set(worker, undefined)) this.#observer.askedRateChanged(key);
      }
    }
    return gone;
  }

  /** When it wants to be woken, at the latest. */
  nextWake(): number | undefined {
    const idle = this.#idle.next();
    const drained = this.#drained.next();
    if (idle === undefined) return drained;
    return drained === undefined ? idle : Math.min(idle, drained);
  }

  #attach(worker: LiveWorker, key: string, queue: TaskQueue): OfQueue {
    let ofQueue = this.#byQueue.get(key);
    if (ofQueue === undefined) {
      ofQueue = { workers: new Set(), serving: 0, rates: new AskedRates() };
      this.#byQueue.set(key, ofQueue);
    }
    if (worker.queues.has(key)) return ofQueue;
    worker.queues.set(key, queue);
    ofQueue.workers.add(worker);
    if (takesTasks(worker) && ++ofQueue.serving === 1) this.#observer.served(key);
    return ofQueue;
  }

  /** It took tasks until now. */
  #stopServing(worker: LiveWorker, now: number): void {
    for (const [key, queue] of worker.queues) {
      const ofQueue = this.#byQueue.get(key);
      if (ofQueue !== undefined && --ofQueue.serving === 0) this.#observer.unserved(queue, now);
    }
  }
}
