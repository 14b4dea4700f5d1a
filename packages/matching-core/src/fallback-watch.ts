/*
 * Which queues have had no worker for so long that their tasks move to their fallbacks. It knows neither tasks nor
 * workers: it is told when a queue loses its last worker, when one begins to serve it, and when a task that has a
 * fallback becomes ready where nobody serves. So it holds only queues that wait for their moment; one that nobody served
 * for longer is not in it, and what becomes ready there moves at once.
 */
import { Deadlines } from "./deadlines.ts";
import { taskQueueKey, type TaskQueue } from "./task-queue.ts";

/** How long a queue is without a live worker before its tasks move to their fallbacks. */
export const unservedMs = 10_000;

/** Keeps the moments at which tasks fall back. */
export class FallbackWatch {
  readonly #moments = new Deadlines<string>();
  readonly #queues = new Map<string, TaskQueue>();
  #startedAt = 0;

  /** The server has started: workers have until 10 s from now to make themselves known. */
  start(now: number): void {
    this.#startedAt = now;
  }

  get size(): number {
    return this.#queues.size;
  }

  /** A queue has lost its last worker. Whether it has tasks with a fallback is found out when the moment has come. */
  unserved(queue: TaskQueue, now: number): void {
    this.#set(taskQueueKey(queue), queue, Math.max(now, this.#startedAt) + unservedMs);
  }

  /** A worker serves this queue. */
  served(queueKey: string): void {
    this.#moments.delete(queueKey);
    this.#queues.delete(queueKey);
  }

  /** A task that has a fallback became ready in a queue that nobody serves, or others of its kind are left there. */
  ready(queue: TaskQueue, now: number): void {
    const key = taskQueueKey(queue);
    // One that waits lost its last worker less than 10 s ago; any other has been without one for longer.
    if (!this.#queues.has(key)) this.#set(key, queue, Math.max(now, this.#startedAt + unservedMs));
  }

  /** Takes out up to `limit` queues whose moment has come. */
  takeDue(now: number, limit: number): TaskQueue[] {
    return this.#moments.takeDue(now, limit).flatMap((key) => {
      const queue = this.#queues.get(key);
      this.#queues.delete(key);
      return queue === undefined ? [] : [queue];
    });
  }

  /** When it wants to be woken, at the latest. */
  nextWake(): number | undefined {
    return this.#moments.next();
  }

  #set(key: string, queue: TaskQueue, at: number): void {
    this.#queues.set(key, queue);
    this.#moments.set(key, at);
  }
}
