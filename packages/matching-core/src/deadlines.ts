import { ChurnMap } from "./churn.ts";

/** Width of a bucket, where nothing else is said. What is due is noticed at most this late. */
export const deadlineBucketMs = 100;

/**
 * Items with a deadline, in buckets of so many ms: adding, moving and removing cost the same however many there are, and
 * nothing stale stays behind. (A heap would need either a search or tombstones; leases and polls nearly always end
 * before their deadline, so the tombstones would be most of it.)
 */
export class Deadlines<Item> {
  readonly #bucketMs: number;
  readonly #buckets = new ChurnMap<number, ChurnMap<Item, number>>();
  readonly #bucketOf = new ChurnMap<Item, number>();
  /** Bucket numbers, lowest first; may name buckets that are gone. */
  #order: number[] = [];

  /** @param bucketMs 1: deadlines, which are whole ms then, are noticed at the very moment. Wider ones wake less often */
  constructor(bucketMs = deadlineBucketMs) {
    this.#bucketMs = bucketMs;
  }

  get size(): number {
    return this.#bucketOf.size;
  }

  /** Sets the item's deadline, in place of an earlier one. */
  set(item: Item, at: number): void {
    const number = Math.floor(at / this.#bucketMs);
    const present = this.#bucketOf.get(item);
    if (present !== undefined && present !== number) this.delete(item);
    let bucket = this.#buckets.get(number);
    if (bucket === undefined) {
      bucket = new ChurnMap();
      this.#buckets.set(number, bucket);
      this.#list(number);
    }
    bucket.set(item, at);
    this.#bucketOf.set(item, number);
  }

  has(item: Item): boolean {
    return this.#bucketOf.has(item);
  }

  delete(item: Item): void {
    const number = this.#bucketOf.get(item);
    if (number === undefined) return;
    this.#bucketOf.delete(item);
    const bucket = this.#buckets.get(number);
    bucket?.delete(item);
    if (bucket?.size !== 0) return;
    this.#buckets.delete(number);
  }

  /** Takes out up to `limit` items whose deadline has come, about in order. */
  takeDue(now: number, limit = Infinity): Item[] {
    const due: Item[] = [];
    const current = Math.floor(now / this.#bucketMs);
    for (let number = this.#first(); number !== undefined && number <= current; number = this.#first()) {
      for (const [item, at] of this.#buckets.get(number) ?? []) {
        if (due.length >= limit) return due;
        if (at > now) continue;
        due.push(item);
        this.delete(item);
      }
      if (number === current) break;
    }
    return due;
  }

  /** When to look again: not before the earliest deadline, and at most one bucket after it; buckets of 1 ms: at it. Undefined: nothing to wait for. */
  next(): number | undefined {
    const number = this.#first();
    if (number === undefined) return undefined;
    // A bucket of 1 ms is due as it begins.
    return this.#bucketMs === 1 ? number : (number + 1) * this.#bucketMs;
  }

  /** Lists a new bucket. Numbers of buckets that came and went behind an early one would pile up: then it lists anew. */
  #list(number: number): void {
    if (this.#order.length < 2 * this.#buckets.size + 64) pushLow(this.#order, number);
    else this.#order = this.#buckets.keysNow().sort((a, b) => a - b);
  }

  #first(): number | undefined {
    for (let number = this.#order[0]; number !== undefined; number = this.#order[0]) {
      if (this.#buckets.has(number)) return number;
      popLow(this.#order);
    }
    return undefined;
  }
}

/** Puts a number into a binary heap, lowest first. */
function pushLow(heap: number[], value: number): void {
  let i = heap.length;
  heap.push(value);
  while (i > 0) {
    const parent = (i - 1) >> 1;
    const above = heap[parent];
    if (above === undefined || above <= value) break;
    heap[i] = above;
    i = parent;
  }
  heap[i] = value;
}

/** Takes the lowest number out of a binary heap. */
function popLow(heap: number[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  let i = 0;
  for (;;) {
    let child = 2 * i + 1;
    let low = heap[child];
    if (low === undefined) break;
    const right = heap[child + 1];
    if (right !== undefined && right < low) {
      child += 1;
      low = right;
    }
    if (last <= low) break;
    heap[i] = low;
    i = child;
  }
  heap[i] = last;
}
