/*
 * Which workers live, what they have registered, and who drains. A worker is live while it has an open poll, or called
 * in the last 15 s. Held in memory only: after a start, workers make themselves known with their next call.
 */
import { Deadlines } from "./deadlines.ts";
import { taskQueueKey, type TaskQueue } from "./task-queue.ts";
import type { TypeSet } from "./matcher.ts";

/** A worker that has not called for so long, and has no open poll, is not live. The SDK calls every 5 s. */
export const liveWorkerMs = 15_000;

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
  readonly queues: Map<string, TaskQueue>;
}

/** One string for one worker, for maps. */
export function workerKey({ namespace, workerId }: Pick<WorkerCall, "namespace" | "workerId">): string {
  return `${namespace}\u0000${workerId}`;
}

/** Keeps the live workers. */
export class Workers {
  readonly #workers = new Map<string, LiveWorker>();
  readonly #byQueue = new Map<string, Set<LiveWorker>>();
  readonly #idle = new Deadlines<LiveWorker>();

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
    return [...(this.#byQueue.get(taskQueueKey(queue)) ?? [])];
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

  /** A call of this worker is held open: while it is, the worker lives. A poll names the queues that it waits for. */
  callOpened(worker: LiveWorker, queues: readonly TaskQueue[] = []): void {
    worker.openCalls += 1;
    this.#idle.delete(worker);
    for (const queue of queues) {
      const key = taskQueueKey(queue);
      if (worker.queues.has(key)) continue;
      worker.queues.set(key, queue);
      let ofQueue = this.#byQueue.get(key);
      if (ofQueue === undefined) this.#byQueue.set(key, (ofQueue = new Set()));
      ofQueue.add(worker);
    }
  }

  /** A call of this worker is held open no more. */
  callClosed(worker: LiveWorker, now: number): void {
    worker.openCalls -= 1;
    worker.lastSeen = now;
    if (worker.openCalls === 0) this.#idle.set(worker, now + liveWorkerMs);
  }

  /** Forgets the workers that have not called for too long, and answers them. */
  takeGone(now: number): LiveWorker[] {
    const gone = this.#idle.takeDue(now);
    for (const worker of gone) {
      this.#workers.delete(workerKey(worker));
      for (const key of worker.queues.keys()) {
        const ofQueue = this.#byQueue.get(key);
        ofQueue?.delete(worker);
        if (ofQueue?.size === 0) this.#byQueue.delete(key);
      }
    }
    return gone;
  }

  /** When it wants to be woken, at the latest. */
  nextWake(): number | undefined {
    return this.#idle.next();
  }
}
