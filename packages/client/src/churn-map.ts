/*
 * For what comes and goes all the time, each for a short while. A Map, or a Set, is rebuilt again and again by that, and V8 lets
 * each table that was given up point at the next one. Once one of them has become old, every later one, with what was in it
 * as it was given up, outlives the collections of the young generation, and they take 5 to 20 ms instead of less than one,
 * until the next large one. The dictionary of an object has no such pointer.
 */

/** Values by a text each. */
export class ChurnMap<Value> implements Iterable<Value> {
  readonly #values = Object.create(null) as Record<string, Value>;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The values, in the order in which their keys came. One that is deleted meanwhile is left out. */
  *[Symbol.iterator](): Generator<Value, undefined> {
    for (const key in this.#values) {
      const value = this.#values[key];
      if (value !== undefined) yield value;
    }
  }

  get(key: string): Value | undefined {
    return this.#values[key];
  }

  has(key: string): boolean {
    return this.#values[key] !== undefined;
  }

  set(key: string, value: Value & {}): void {
    if (this.#values[key] === undefined) this.#size += 1;
    this.#values[key] = value;
  }

  /** @returns whether it was there */
  delete(key: string): boolean {
    if (this.#values[key] === undefined) return false;
    delete this.#values[key];
    this.#size -= 1;
    return true;
  }
}
