import { Deadlines, taskQueueKey, type TaskQueue } from "@tq/matching-core";

/** Over how long rates are taken. */
const rateWindowMs = 30_000;
const bucketMs = 1_000;
const buckets = rateWindowMs / bucketMs;

interface Counts {
  /** Ring of the last seconds, and the number of the second that each holds. */
  readonly adds: number[];
  readonly dispatches: number[];
  readonly seconds: number[];
}

/** How fast tasks are added to and dispatched from each queue. Queues that are quiet for 30 s are forgotten. */
export class Rates {
  readonly #queues = new Map<string, Counts>();
  /** When each of them has been quiet for so long. A second more or less does not matter. */
  readonly #quiet = new Deadlines<string>(bucketMs);

  added(key: string, tasks: number, now: number): void {
    this.#count(key, now, "adds", tasks);
  }

  dispatched(key: string, tasks: number, now: number): void {
    this.#count(key, now, "dispatches", tasks);
  }

  /** Per second, over the last 30 s. */
  of(queue: TaskQueue, now: number): { readonly addsPerSecond: number; readonly dispatchesPerSecond: number } {
    const counts = this.#queues.get(taskQueueKey(queue));
    if (counts === undefined) return { addsPerSecond: 0, dispatchesPerSecond: 0 };
    const second = Math.floor(now / bucketMs);
    const sum = (values: readonly number[]) =>
      values.reduce((total, value, i) => total + ((counts.seconds[i] ?? 0) > second - buckets ? value : 0), 0);
    const perSecond = bucketMs / rateWindowMs;
    return { addsPerSecond: sum(counts.adds) * perSecond, dispatchesPerSecond: sum(counts.dispatches) * perSecond };
  }

  #count(key: string, now: number, what: "adds" | "dispatches", tasks: number): void {
    const second = Math.floor(now / bucketMs);
    this.#quiet.set(key, now + rateWindowMs);
    let counts = this.#queues.get(key);
    if (counts === undefined) {
      counts = { adds: [], dispatches: [], seconds: [] };
      this.#queues.set(key, counts);
    }
    const slot = second % buckets;
    if (counts.seconds[slot] !== second) {
      counts.seconds[slot] = second;
      counts.adds[slot] = 0;
      counts.dispatches[slot] = 0;
    }
    counts[what][slot] = (counts[what][slot] ?? 0) + tasks;
  }

  /** Lets go of queues that have been quiet. */
  forgetQuiet(now: number): void {
    for (const key of this.#quiet.takeDue(now)) this.#queues.delete(key);
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
