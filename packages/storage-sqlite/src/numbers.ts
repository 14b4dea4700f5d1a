/**
 * Gives out the numbers of the shard: of tasks, places, leases and queues. One counter for all, so that a number is never
 * used twice for anything, and a later one is always larger. Stored with each commit.
 */
export class Numbers {
  #last = 0;

  get last(): number {
    return this.#last;
  }

  /** Continues behind the last stored number. */
  reset(last: number): void {
    this.#last = last;
  }

  next(): number {
    return ++this.#last;
  }
}
