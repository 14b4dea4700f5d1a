/*
 * For what comes and goes all the time, each for a short while. V8 builds the table of a Map, or a Set, anew when it is full
 * of what was deleted, and lets each table that was given up point at the next one. Once one of them has become old, every
 * later one, with what was in it as it was given up, outlives the collections of the young generation, and they take 5 to 20
 * ms instead of less than one, until the next large one. So the Map itself is begun anew now and then, which ends the chain.
 */

/** A Map is begun anew when so many were deleted, and as many as are left. */
const fewest = 32;

/** Values by a text each. */
export class ChurnMap<Value> implements Iterable<Value> {
  #values = new Map<string, Value>();
  #deleted = 0;

  get size(): number {
    return this.#values.size;
  }

  /** The values, in the order in which their keys came. One that is deleted meanwhile is left out. */
  *[Symbol.iterator](): Generator<Value, undefined> {
    for (const [key, value] of this.#values) if (this.#values.has(key)) yield value;
  }

  get(key: string): Value | undefined {
    return this.#values.get(key);
  }

  has(key: string): boolean {
    return this.#values.has(key);
  }

  set(key: string, value: Value & {}): void {
    this.#values.set(key, value);
  }

  /** @returns whether it was there */
  delete(key: string): boolean {
    if (!this.#values.delete(key)) return false;
    this.#deleted += 1;
    if (this.#deleted < fewest || this.#deleted < this.#values.size) return true;
    this.#values = new Map(this.#values);
    this.#deleted = 0;
    return true;
  }
}
