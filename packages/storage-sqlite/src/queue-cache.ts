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
  /** What was found last: a claim asks for the same key task by task. */
  #last:
    | { readonly queueId: number; readonly priority: number; readonly key: string; readonly value: Value }
    | undefined;

  /** @param most how many values are kept from one transaction to the next */
  constructor(most: number) {
    this.#most = most;
  }

  get(queue: QueueState, priority: Priority | 0, key: string): Value | undefined {
    const last = this.#last;
    if (last !== undefined && last.key === key && last.priority === priority && last.queueId === queue.id) {
      return last.value;
    }
    const value = this.#byQueue.get(queue.id)?.[priority]?.get(key);
    if (value !== undefined) this.#last = { queueId: queue.id, priority, key, value };
    return value;
  }

  set(queue: QueueState, priority: Priority | 0, key: string, value: Value): void {
    let ofQueue = this.#byQueue.get(queue.id);
    if (ofQueue === undefined) this.#byQueue.set(queue.id, (ofQueue = []));
    const values = (ofQueue[priority] ??= new Map<string, Value>());
    const before = values.size;
    values.set(key, value);
    this.#last = undefined;
    this.#size += values.size - before;
  }

  /** The queue is gone, or let go of. */
  forget(queueId: number): void {
    for (const values of this.#byQueue.get(queueId) ?? []) this.#size -= values?.size ?? 0;
    this.#byQueue.delete(queueId);
    this.#last = undefined;
  }

  clear(): void {
    this.#byQueue.clear();
    this.#size = 0;
    this.#last = undefined;
  }

  /** Lets go of everything if it is too much, and answers whether it was. Between transactions only: values are compared by identity. */
  evict(): boolean {
    const isTooMuch = this.#size > this.#most;
    if (isTooMuch) this.clear();
    return isTooMuch;
  }
}
