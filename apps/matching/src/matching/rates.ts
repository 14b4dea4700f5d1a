import { IdleWatch, taskQueueKey, type TaskQueue } from "@tq/matching-core";

/** Over how long rates are taken. */
const rateWindowMs = 30_000;
const bucketMs = 1_000;
const buckets = rateWindowMs / bucketMs;

/** Of the seconds in which something happened, the last ones, in order: number of the second, adds, dispatches; and so on. */
type Counts = number[];
const numbersEach = 3;
const addsAt = 1;
const dispatchesAt = 2;

/** How fast tasks are added to and dispatched from each queue. Queues that are quiet for 30 s are forgotten. */
export class Rates {
  readonly #queues = new Map<string, Counts>();
  readonly #quiet = new IdleWatch<string>(rateWindowMs, (key) => this.#lastSecond(key) * bucketMs, bucketMs);

  added(key: string, tasks: number, now: number): void {
    this.#count(key, now, addsAt, tasks);
  }

  dispatched(key: string, tasks: number, now: number): void {
    this.#count(key, now, dispatchesAt, tasks);
  }

  /** Per second, over the last 30 s. */
  of(queue: TaskQueue, now: number): { readonly addsPerSecond: number; readonly dispatchesPerSecond: number } {
    const counts = this.#queues.get(taskQueueKey(queue)) ?? [];
    const second = Math.floor(now / bucketMs);
    let adds = 0;
    let dispatches = 0;
    for (let i = 0; i < counts.length; i += numbersEach) {
      if ((counts[i] ?? 0) <= second - buckets) continue;
      adds += counts[i + addsAt] ?? 0;
      dispatches += counts[i + dispatchesAt] ?? 0;
    }
    const share = bucketMs / rateWindowMs;
    return { addsPerSecond: adds * share, dispatchesPerSecond: dispatches * share };
  }

  /** Number of the last second in which something happened there. */
  #lastSecond(key: string): number {
    return this.#queues.get(key)?.at(-numbersEach) ?? 0;
  }

  #count(key: string, now: number, what: number, tasks: number): void {
    const second = Math.floor(now / bucketMs);
    let counts = this.#queues.get(key);
    if (counts === undefined) {
      this.#queues.set(key, (counts = [second, 0, 0]));
      this.#quiet.watch(key, now);
    }
    let at = counts.length - numbersEach;
    // It is never an earlier one: the server's time does not go back.
    if (counts[at] !== second) {
      if (counts.length === buckets * numbersEach) counts.splice(0, numbersEach);
      at = counts.push(second, 0, 0) - numbersEach;
    }
    counts[at + what] = (counts[at + what] ?? 0) + tasks;
  }

  /** Lets go of queues that have been quiet. */
  forgetQuiet(now: number): void {
    for (const key of this.#quiet.takeIdle(now)) this.#queues.delete(key);
  }

  /** When it wants to be woken, at the latest. */
  nextWake(): number | undefined {
    return this.#quiet.next();
  }

  /** How many queues it holds. */
  get size(): number {
    return this.#queues.size;
  }
}
