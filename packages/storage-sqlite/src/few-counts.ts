import type { ChurnMap } from "@tq/matching-core";

/**
 * Counts by key, where mostly one key has any: of a queue with a few tasks, which come and go, one worker has them, and one
 * fairness key. The first is held without a Map, which would be most of what counting costs.
 */
export class FewCounts<Key extends string | number> {
  #key: Key | undefined;
  /** 0: this place is free. */
  #count = 0;
  /** All others; those of 0 are not there. */
  #others: Map<Key, number> | undefined;

  /** Whether no key has any. */
  get isEmpty(): boolean {
    return this.#count === 0 && this.#others === undefined;
  }

  /** 0 for a key that has none. */
  get(key: Key): number {
    return this.#count !== 0 && this.#key === key ? this.#count : (this.#others?.get(key) ?? 0);
  }

  /** Changes the count of a key; it may come to less than 0. */
  change(key: Key, by: number): void {
    if (this.#count !== 0 && this.#key === key) {
      this.#count += by;
      return;
    }
    const count = this.#others?.get(key);
    if (count !== undefined) this.#setOther(key, count + by);
    else if (this.#count === 0) [this.#key, this.#count] = [key, by];
    else this.#setOther(key, by);
  }

  /** Those that are not 0. */
  *[Symbol.iterator](): Generator<readonly [Key, number], undefined> {
    if (this.#count !== 0 && this.#key !== undefined) yield [this.#key, this.#count];
    if (this.#others !== undefined) yield* this.#others;
  }

  #setOther(key: Key, count: number): void {
    if (count !== 0) (this.#others ??= new Map<Key, number>()).set(key, count);
    else if (this.#others?.delete(key) === true && this.#others.size === 0) this.#others = undefined;
  }
}

/** Changes a count of one of many owners; one that is left without any goes. */
export function changeIn<Owner, Key extends string | number>(
  all: ChurnMap<Owner, FewCounts<Key>>,
  owner: Owner,
  key: Key,
  by: number,
): void {
  let counts = all.get(owner);
  if (counts === undefined) all.set(owner, (counts = new FewCounts()));
  counts.change(key, by);
  if (counts.isEmpty) all.delete(owner);
}
