import type { Priority } from "@tq/matching-core";
import type { QueueState } from "./queues.ts";

/**
 * What is held in memory of each fairness key, by queue and priority. Bounded: everything is let go of between
 * transactions once it is too much, and a queue's part with the queue.
 */
export class QueueCache<Value> {
  readonly #byQueue = new Map<number, Map<string, Value>[]>();
  readonly #most: number;
  #size = 0;

  /** @param most how many values are kept from one transaction to the next */
  constructor(most: number) {
    this.#most = most;
  }

  get(queue: QueueState, priority: Priority | 0, key: string): Value | undefined {
    return this.#byQueue.get(queue.id)?.[priority]?.get(key);
  }

  set(queue: QueueState, priority: Priority | 0, key: string, value: Value): void {
    let ofQueue = this.#byQueue.get(queue.id);
    if (ofQueue === undefined) this.#byQueue.set(queue.id, (ofQueue = []));
    const values = (ofQueue[priority] ??= new Map<string, Value>());
    const before = values.size;
    values.set(key, value);
    this.#size += values.size - before;
  }

  /** The queue is gone, or let go of. */
  forget(queueId: number): void {
    for (const values of this.#byQueue.get(queueId) ?? []) this.#size -= values?.size ?? 0;
    this.#byQueue.delete(queueId);
  }

  clear(): void {
    this.#byQueue.clear();
    this.#size = 0;
  }

  /** Lets go of everything if it is too much. Between transactions only: values are compared by identity. */
  evict(): void {
    if (this.#size > this.#most) this.clear();
  }
}
