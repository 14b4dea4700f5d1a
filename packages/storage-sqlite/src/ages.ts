import type Database from "better-sqlite3";
import type { QueueState } from "./queues.ts";
import { steady } from "./steady.ts";

/** Width of a bucket of ready times: what describe says about the oldest is exact to this. */
const ageBucketMs = 100;

/** How many tasks of each queue became ready in each 100 ms and still are: so the oldest is found without a scan. */
export class Ages {
  /** What the present transaction changed, by queue and bucket. */
  #changes = new Map<number, Map<number, number>>();
  readonly #sql;

  constructor(db: Database.Database) {
    this.#sql = {
      add: db.prepare("insert into age values(?, ?, ?) on conflict do update set n = n + excluded.n"),
      drop: db.prepare("delete from age where queue = ? and bucket = ? and n = 0"),
      oldest: db
        .prepare<[number], number>(steady("select bucket from age where queue = ? order by bucket limit 1"))
        .pluck(),
    };
  }

  /** Forgets what is in memory. */
  reset(): void {
    if (this.#changes.size > 0) this.#changes = new Map();
  }

  /** A task became ready at that time, or one that did is no longer. */
  bump(queue: QueueState, since: number, by: 1 | -1): void {
    let ofQueue = this.#changes.get(queue.id);
    if (ofQueue === undefined) this.#changes.set(queue.id, (ofQueue = new Map<number, number>()));
    const bucket = Math.floor(since / ageBucketMs);
    ofQueue.set(bucket, (ofQueue.get(bucket) ?? 0) + by);
  }

  /** Writes what the transaction changed. */
  flush(): void {
    for (const [queue, buckets] of this.#changes) {
      for (const [bucket, by] of buckets) {
        if (by === 0) continue;
        this.#sql.add.run(queue, bucket, by);
        if (by < 0) this.#sql.drop.run(queue, bucket);
      }
    }
    if (this.#changes.size > 0) this.#changes = new Map();
  }

  /** Since when the queue's oldest ready task is ready. */
  oldest(queue: QueueState): number | undefined {
    const bucket = this.#sql.oldest.get(queue.id);
    return bucket === undefined ? undefined : bucket * ageBucketMs;
  }
}
