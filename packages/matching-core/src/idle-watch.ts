import { deadlineBucketMs, Deadlines } from "./deadlines.ts";

/**
 * Finds items that were idle for so long. To use one costs nothing here, however often: an item is looked at when it would be
 * over if nothing had come since the last look, so once in that time.
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

  /** Looks after one that is in use, or idle since now at the earliest. */
  watch(item: Item, now: number): void {
    this.#looks.set(item, now + this.#idleMs);
  }

  forget(item: Item): void {
    this.#looks.delete(item);
  }

  /** Takes out those that have been idle for so long. */
  takeIdle(now: number): Item[] {
    return this.#looks.takeDue(now).filter((item) => {
      const overAt = (this.#idleSince(item) ?? now) + this.#idleMs;
      if (overAt <= now) return true;
      this.#looks.set(item, overAt);
      return false;
    });
  }

  /** When to look again, at the latest: see {@link Deadlines.next}. */
  next(): number | undefined {
    return this.#looks.next();
  }
}
