import type { DispatchedTask } from "@tq/proto";
import type { SlotPermit } from "./slot-supplier.ts";

/**
 * Capacity of a worker for one kind of task, shared by all queues it takes that kind from. A slot is reserved before the
 * poll that asks for a task to fill it, and given back once the task is off the worker's hands: its answer accepted, or
 * its lease gone and its handler ended. So the server never has more tasks leased to the worker than it has slots.
 */
export interface Slots {
  /** How many there are at most, as far as is known now. */
  readonly capacity: number;
  /** How many are reserved now. */
  readonly reserved: number;
  /**
   * True: a slot whose task's answer is on its way may be offered for another task without being given back in between.
   * False where somebody else decides about each slot anew.
   */
  readonly isLendable: boolean;
  /** Reserves one if one is free. */
  tryReserve(): boolean;
  /** One that is reserved gets a task. Its permit, if it has one, comes back with {@link release}. */
  markUsed(task: DispatchedTask): SlotPermit | undefined;
  /** Gives one back: that of a permit, or else one that no task came for. */
  release(permit?: SlotPermit): void;
  /** Called each time a slot may have become free. */
  onFree(listener: () => void): void;
  /** None is reserved any more: waits for none. */
  stop(): void;
}

/** A fixed number of slots. */
export class FixedSlots implements Slots {
  readonly capacity: number;
  readonly isLendable = true;
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

  markUsed(): undefined {
    // One slot is like another.
  }

  release(): void {
    if (this.#reserved === 0) throw new Error("a slot was given back twice");
    this.#reserved--;
    for (const listener of this.#listeners) listener();
  }

  onFree(listener: () => void): void {
    this.#listeners.push(listener);
  }

  stop(): void {
    // Waits for nothing.
  }
}
