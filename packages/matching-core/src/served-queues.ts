/*
 * Which workers serve which queues. A worker serves a queue while it holds a call open that names it (a poll of the queue,
 * or a renewal that names it or tasks of it), and for as long after such a call as a worker lives after any. So one that
 * polls a queue no more stops serving it, though it lives and polls others.
 */
import { AskedRates } from "./asked-rate.ts";
import { IdleWatch } from "./idle-watch.ts";
import { taskQueueKey, type TaskQueue } from "./task-queue.ts";

/** A worker that has not called for so long, and has no open call, is not live, and serves nothing. The SDK calls every 5 s. */
export const liveWorkerMs = 15_000;

/** What is asked of a worker here. */
export interface ServingWorker {
  /** It said that it is going: it gets nothing new. */
  readonly shuttingDown: boolean;
  /** An operator drains it: it gets nothing new, and finishes what it has. */
  readonly draining: boolean;
  /** What it serves, by the keys of the queues; kept here. */
  readonly queues: Map<string, Served>;
}

/** A queue that a worker serves. */
export interface Served {
  readonly queue: TaskQueue;
}

/** Whether a worker takes new tasks. One that does not still lives, but a queue that has only such is not served. */
export function takesTasks(worker: Pick<ServingWorker, "shuttingDown" | "draining">): boolean {
  return !worker.shuttingDown && !worker.draining;
}

/** Who is told as queues gain and lose their workers. */
export interface QueueObserver {
  /** A worker that takes tasks serves this queue; none did before. */
  readonly served: (queueKey: string) => void;
  /** The last worker that took tasks from this queue is gone, or takes no more. */
  readonly unserved: (queue: TaskQueue, now: number) => void;
  /** The smallest rate that its workers ask for is another one. */
  readonly askedRateChanged: (queueKey: string) => void;
}

/** One worker at one queue. */
interface Serving<Worker> extends Served {
  readonly worker: Worker;
  readonly key: string;
  readonly ofQueue: OfQueue<Worker>;
  /** Calls held open that name the queue. */
  open: number;
  /** When the last of them ended; says nothing while one is open. */
  closedAt: number;
}

interface OfQueue<Worker> {
  readonly workers: Set<Worker>;
  /** How many of them take tasks. */
  taking: number;
  readonly rates: AskedRates<Worker>;
}

/** Keeps who serves what. */
export class ServedQueues<Worker extends ServingWorker> {
  readonly #byQueue = new Map<string, OfQueue<Worker>>();
  readonly #idle = new IdleWatch<Serving<Worker>>(liveWorkerMs, ({ open, closedAt }) =>
    open > 0 ? undefined : closedAt,
  );
  readonly #observer: QueueObserver;

  constructor(observer: QueueObserver) {
    this.#observer = observer;
  }

  /** Workers that serve this queue, whether or not they take tasks. */
  ofQueue(queue: TaskQueue): readonly Worker[] {
    return [...(this.#byQueue.get(taskQueueKey(queue))?.workers ?? [])];
  }

  /** Whether a worker takes tasks from this queue. */
  isServed(queueKey: string): boolean {
    return (this.#byQueue.get(queueKey)?.taking ?? 0) > 0;
  }

  /** The smallest rate of dispatch that a worker of this queue asks for; undefined: none asks for one. */
  askedRate(queueKey: string): number | undefined {
    return this.#byQueue.get(queueKey)?.rates.smallest;
  }

  /** A call that names these queues is held open. */
  opened(worker: Worker, queues: readonly TaskQueue[]): void {
    for (const queue of queues) {
      const key = taskQueueKey(queue);
      const serving = servingOf(worker, key) ?? this.#attach(worker, key, queue);
      serving.open += 1;
    }
  }

  /** One that was {@link opened} is held open no more. */
  closed(worker: Worker, queues: readonly TaskQueue[], now: number): void {
    for (const queue of queues) {
      const serving = servingOf(worker, taskQueueKey(queue));
      if (serving === undefined) continue;
      serving.open -= 1;
      serving.closedAt = now;
      if (serving.open === 0) this.#idle.watch(serving, now);
    }
  }

  /** A worker wants so many dispatches per second of each of these, which it serves; undefined: it does not say. */
  ask(worker: Worker, queues: readonly TaskQueue[], rate: number | undefined): void {
    for (const queue of queues) {
      const serving = servingOf(worker, taskQueueKey(queue));
      if (serving?.ofQueue.rates.set(worker, rate) === true) this.#observer.askedRateChanged(serving.key);
    }
  }

  /** A worker that took tasks until now takes no more; it goes on serving what it has. */
  stopsTaking(worker: Worker, now: number): void {
    for (const { ofQueue, queue } of servingsOf(worker)) {
      if (--ofQueue.taking === 0) this.#observer.unserved(queue, now);
    }
  }

  /** A worker is gone. */
  gone(worker: Worker, now: number): void {
    for (const serving of servingsOf(worker)) {
      this.#idle.forget(serving);
      this.#detach(serving, now);
    }
  }

  /** Forgets what workers have not named for too long. */
  forgetIdle(now: number): void {
    for (const serving of this.#idle.takeIdle(now)) this.#detach(serving, now);
  }

  /** When it wants to be woken, at the latest. */
  nextWake(): number | undefined {
    return this.#idle.next();
  }

  #attach(worker: Worker, key: string, queue: TaskQueue): Serving<Worker> {
    let ofQueue = this.#byQueue.get(key);
    if (ofQueue === undefined) {
      ofQueue = { workers: new Set(), taking: 0, rates: new AskedRates() };
      this.#byQueue.set(key, ofQueue);
    }
    const serving: Serving<Worker> = { worker, key, queue, ofQueue, open: 0, closedAt: 0 };
    ofQueue.workers.add(worker);
    worker.queues.set(key, serving);
    if (takesTasks(worker) && ++ofQueue.taking === 1) this.#observer.served(key);
    return serving;
  }

  #detach({ worker, key, queue, ofQueue }: Serving<Worker>, now: number): void {
    worker.queues.delete(key);
    ofQueue.workers.delete(worker);
    if (takesTasks(worker) && --ofQueue.taking === 0) this.#observer.unserved(queue, now);
    if (ofQueue.workers.size === 0) this.#byQueue.delete(key);
    else if (ofQueue.rates.set(worker, undefined)) this.#observer.askedRateChanged(key);
  }
}

// What stands in a worker's queues was put there above.

function servingOf<Worker extends ServingWorker>(worker: Worker, key: string): Serving<Worker> | undefined {
  return worker.queues.get(key) as Serving<Worker> | undefined;
}

function servingsOf<Worker extends ServingWorker>(worker: Worker): readonly Serving<Worker>[] {
  return [...worker.queues.values()] as Serving<Worker>[];
}
