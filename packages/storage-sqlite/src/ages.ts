import type Database from "better-sqlite3";
import { ChurnMap } from "@tq/matching-core";
import type { QueueState } from "./queues.ts";
import { changeIn, type FewCounts } from "./few-counts.ts";
import { steady } from "./steady.ts";
import type { Writes } from "./journal/writes.ts";

/** Width of a bucket of ready times: what describe says about the oldest is exact to this. */
const ageBucketMs = 100;

/** How many tasks of each queue became ready in each 100 ms and still are: so the oldest is found without a scan. */
export class Ages {
  /** What the present transaction changed, by queue and bucket; and what is not written yet of those before. */
  readonly #changes = new ChurnMap<number, FewCounts<number>>();
  readonly #late = new ChurnMap<number, FewCounts<number>>();
  readonly #sql;

  constructor(db: Database.Database, writes: Writes) {
    this.#sql = {
      add: writes.prepare("insert into age values(?, ?, ?) on conflict do update set n = n + excluded.n"),
      drop: writes.prepare("delete from age where queue = ? and bucket = ? and n = 0"),
      oldest: db
        .prepare<[number], number>(steady("select bucket from age where queue = ? order by bucket limit 1"))
        .pluck(),
    };
  }

  /** Forgets what is in memory. */
  reset(): void {
    if (this.#changes.size > 0) this.#changes.clear();
    if (this.#late.size > 0) this.#late.clear();
  }

  /** A task became ready at that time, or one that did is no longer. */
  bump(queue: QueueState, since: number, by: 1 | -1): void {
    changeIn(this.#changes, queue.id, Math.floor(since / ageBucketMs), by);
  }

  /** Notes what the transaction changed. */
  flush(): void {
    const { add, drop } = this.#sql;
    for (const [queue, buckets] of this.#changes) {
      for (const [bucket, by] of buckets) {
        add.promise(queue, bucket, by);
        if (by < 0) drop.promise(queue, bucket);
        changeIn(this.#late, queue, bucket, by);
      }
    }
    if (this.#changes.size > 0) this.#changes.clear();
  }

  /** Writes what the journal alone has. */
  settle(): void {
    const { add, drop } = this.#sql;
    for (const [queue, buckets] of this.#late) {
      for (const [bucket, by] of buckets) {
        add.settle(queue, bucket, by);
        if (by < 0) drop.settle(queue, bucket);
      }
    }
    if (this.#late.size > 0) this.#late.clear();
  }

  /** Since when the queue's oldest ready task is ready. */
  oldest(queue: QueueState): number | undefined {
    if (this.#late.has(queue.id)) this.settle();
    const bucket = this.#sql.oldest.get(queue.id);
    return bucket === undefined ? undefined : bucket * ageBucketMs;
  }
}
