import { deadlineBucketMs, Deadlines } from "./deadlines.ts";

/**
 * Finds items that were idle for so long. To use one costs nothing here, however often: an item is looked at when it would be
 * over if nothing had come since the last look, so once in that time; and not while it is in use.
 */
export class IdleWatch<Item> {
  readonly #idleMs: number;
  readonly #idleSince: (item: Item) => number | undefined;
  readonly #looks: Deadlines<Item>;

  /**
   * @param idleSince since when it is idle, which never goes back; undefined: it is in use
   * @param bucketMs what is over is noticed at most this late
   */
  constructor(idleMs: number, idleSince: (item: Item) => number | undefined, bucketMs = deadlineBucketMs) {
    this.#idleMs = idleMs;
    this.#idleSince = idleSince;
    this.#looks = new Deadlines(bucketMs);
  }

  /** Looks after one that is idle, since now at the earliest. */
  watch(item: Item, now: number): void {
    if (!this.#looks.has(item)) this.#looks.set(item, now + this.#idleMs);
  }

  forget(item: Item): void {
    this.#looks.delete(item);
  }

  /** Takes out those that have been idle for so long. One that is in use is not watched any more: until it is idle again. */
  takeIdle(now: number): Item[] {
    return this.#looks.takeDue(now).filter((item) => {
      const idleSince = this.#idleSince(item);
      if (idleSince === undefined) return false;
      const isOver = idleSince + this.#idleMs <= now;
      if (!isOver) this.#looks.set(item, idleSince + this.#idleMs);
      return isOver;
    });
  }

  /** When to look again, at the latest: see {@link Deadlines.next}. */
  next(): number | undefined {
    return this.#looks.next();
  }
}
