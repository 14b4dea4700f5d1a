/** Who stands in a {@link Line}. */
export interface InLine {
  /** It has given up, and is passed over. */
  readonly isOver: boolean;
}

/** As many empty places, or places of those that gave up, may there be before the line is closed up. */
const maxEmpty = 1_024;

/**
 * A line of those who wait, in order; they may give up in it. It is an array, not a set: the tables that a set has grown out
 * of keep what was in them, so that what passes through it lives on until a full collection.
 */
export class Line<T extends InLine> {
  #places: (T | undefined)[] = [];
  /** Where it begins; the places before are empty. */
  #head = 0;
  #givenUp = 0;

  /** Places that it takes in memory. */
  get places(): number {
    return this.#places.length;
  }

  /** Those who have not given up, in order. */
  *[Symbol.iterator](): Iterator<T> {
    for (let at = this.#head; at < this.#places.length; at++) {
      const item = this.#places[at];
      if (item?.isOver === false) yield item;
    }
  }

  /** At the end. */
  push(item: T): void {
    this.#places.push(item);
  }

  /** At the front, in their order. */
  unshift(items: readonly T[]): void {
    if (items.length <= this.#head) {
      this.#head -= items.length;
      for (const [index, item] of items.entries()) this.#places[this.#head + index] = item;
    } else {
      this.#places = [...items, ...this.#places.slice(this.#head)];
      this.#head = 0;
    }
  }

  /** The first who has not given up; undefined if there is none. */
  first(): T | undefined {
    for (; this.#head < this.#places.length; this.#places[this.#head++] = undefined) {
      const item = this.#places[this.#head];
      if (item !== undefined && !item.isOver) break;
    }
    if (this.#head === this.#places.length || this.#head >= maxEmpty) this.#closeUp();
    return this.#places[this.#head];
  }

  /** Takes out the first who has not given up. */
  shift(): T | undefined {
    const item = this.first();
    if (item !== undefined) this.#places[this.#head++] = undefined;
    return item;
  }

  /** One who may stand in it has given up. Nobody who has stays in memory for long, whether or not the line moves. */
  gaveUp(): void {
    if (++this.#givenUp < maxEmpty || this.#givenUp * 2 < this.#places.length) return;
    this.#givenUp = 0;
    this.#places = this.#places.filter((item) => item?.isOver === false);
    this.#head = 0;
  }

  #closeUp(): void {
    this.#places.splice(0, this.#head);
    this.#head = 0;
  }
}
