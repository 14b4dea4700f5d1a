/*
 * For what comes and goes all the time, each for a short while. V8 builds the table of a Map or Set anew when it is full of
 * what was deleted, and lets each table that was given up point at the next one. Once one of them has become old, all later
 * ones, with what was in them as they were given up, outlive the collections of the young generation, which then take
 * milliseconds, until the next large one. So the Map or Set itself is begun anew now and then, which ends the chain. (The
 * client has one of its own: the two ends share the contract alone.)
 */

/** It is begun anew when so many were deleted, and as many as are left. */
const fewest = 32;

/**
 * A Map of what comes and goes. Gone through in order of insertion, without what is deleted meanwhile; whether what is put
 * in meanwhile is met is not said.
 */
export class ChurnMap<Key, Value> implements Iterable<readonly [Key, Value]> {
  #entries = new Map<Key, Value>();
  #deleted = 0;

  get size(): number {
    return this.#entries.size;
  }

  *[Symbol.iterator](): Generator<readonly [Key, Value], undefined> {
    const entries = this.#entries;
    for (const entry of entries) if (entries === this.#entries || this.#entries.has(entry[0])) yield entry;
  }

  *keys(): Generator<Key, undefined> {
    for (const [key] of this) yield key;
  }

  *values(): Generator<Value, undefined> {
    for (const [, value] of this) yield value;
  }

  /** All keys of this moment: for many, in half the time. */
  keysNow(): Key[] {
    return [...this.#entries.keys()];
  }

  /** All values of this moment. */
  valuesNow(): Value[] {
    return [...this.#entries.values()];
  }

  get(key: Key): Value | undefined {
    return this.#entries.get(key);
  }

  has(key: Key): boolean {
    return this.#entries.has(key);
  }

  set(key: Key, value: Value): void {
    this.#entries.set(key, value);
  }

  /** @returns whether it was there */
  delete(key: Key): boolean {
    if (!this.#entries.delete(key)) return false;
    this.#deleted += 1;
    if (this.#deleted < fewest || this.#deleted < this.#entries.size) return true;
    this.#entries = new Map(this.#entries);
    this.#deleted = 0;
    return true;
  }

  clear(): void {
    this.#entries = new Map();
    this.#deleted = 0;
  }
}

/** A Set of the same. */
export class ChurnSet<Item> implements Iterable<Item> {
  readonly #items = new ChurnMap<Item, undefined>();

  get size(): number {
    return this.#items.size;
  }

  [Symbol.iterator](): Generator<Item, undefined> {
    return this.#items.keys();
  }

  /** All of this moment. */
  now(): Item[] {
    return this.#items.keysNow();
  }

  has(item: Item): boolean {
    return this.#items.has(item);
  }

  add(item: Item): void {
    this.#items.set(item, undefined);
  }

  /** @returns whether it was there */
  delete(item: Item): boolean {
    return this.#items.delete(item);
  }
}
