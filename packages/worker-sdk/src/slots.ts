/**
 * Capacity of a worker for one kind of task, shared by all queues it takes that kind from. A slot is reserved before the
 * poll that asks for a task to fill it, and given back once the task is off the worker's hands: its answer accepted, or
 * its lease gone and its handler ended. So the server never has more tasks leased to the worker than it has slots.
 */
export interface Slots {
  /** How many there are at most. */
  readonly capacity: number;
  /** How many are reserved now. */
  readonly reserved: number;
  /** Reserves one if one is free. */
  tryReserve(): boolean;
  /** Gives one back. */
  release(): void;
  /** Called each time a slot may have become free. */
  onFree(listener: () => void): void;
}

/** A fixed number of slots. */
export class FixedSlots implements Slots {
  readonly capacity: number;
  readonly #listeners: (() => void)[] = [];
  #reserved = 0;

  constructor(capacity: number) {
    this.capacity = capacity;
  }

  get reserved(): number {
    return this.#reserved;
  }

  tryReserve(): boolean {
    if (this.#reserved >= this.capacity) return false;
    this.#reserved++;
    return true;
  }

  release(): void {
    if (this.#reserved === 0) throw new Error("a slot was given back twice");
    this.#reserved--;
    for (const listener of this.#listeners) listener();
  }

  onFree(listener: () => void): void {
    this.#listeners.push(listener);
  }
}
