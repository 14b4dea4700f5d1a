import { ChurnMap } from "@tq/matching-core";
import type { BulkInsert } from "../bulk-insert.ts";
import type { Value } from "./encoding.ts";
import type { Write } from "./writes.ts";

interface Late {
  /** Undefined: the row is gone. */
  values: readonly Value[] | undefined;
  /** What the statement that removes it is given. */
  key: readonly Value[];
  /** Whether the file has, or may have, a row of this key. */
  readonly isInFile: boolean;
}

/**
 * Rows that commits change more often than it is settled: each change stands in the journal, and what they come to is
 * written once. Most rows of a task that is handed out at once come to nothing.
 */
export class LateRows<Key extends string | number> {
  readonly #rows = new ChurnMap<Key, Late>();
  readonly #put: Write;
  readonly #remove: Write | undefined;
  readonly #bulk: BulkInsert | undefined;

  /**
   * @param put writes a whole row, over the one of the same key if there is one
   * @param remove removes the row of a key, if any is to be removed by this
   * @param bulk does what `put` does, for many
   */
  constructor(put: Write, remove?: Write, bulk?: BulkInsert) {
    this.#put = put;
    this.#remove = remove;
    this.#bulk = bulk;
  }

  /** How many rows there are to write. */
  get size(): number {
    return this.#rows.size;
  }

  /** What was put under a key since it was settled; null: it was removed; undefined: the file says. */
  get(key: Key): readonly Value[] | null | undefined {
    const late = this.#rows.get(key);
    return late === undefined ? undefined : (late.values ?? null);
  }

  /** @param isNew the file has no row of this key, but for one that was removed here since it was settled */
  put(key: Key, values: readonly Value[], isNew = false): void {
    this.#put.promise(...values);
    const late = this.#rows.get(key);
    if (late === undefined) this.#rows.set(key, { values, key: [], isInFile: !isNew });
    else late.values = values;
  }

  /** @param values what the statement that removes it is given */
  remove(key: Key, ...values: readonly Value[]): void {
    const late = this.#rows.get(key);
    this.#remove?.promise(...values);
    if (late === undefined) {
      this.#rows.set(key, { values: undefined, key: values, isInFile: true });
    } else if (late.isInFile) {
      late.values = undefined;
      late.key = values;
    } else {
      this.#rows.delete(key);
    }
  }

  /** Writes what it comes to. */
  settle(): void {
    if (this.#rows.size === 0) return;
    for (const { values, key } of this.#rows.valuesNow()) {
      if (values === undefined) this.#remove?.settle(...key);
      else if (this.#bulk !== undefined) this.#bulk.add(...values);
      else this.#put.settle(...values);
    }
    this.#bulk?.flush();
    this.reset();
  }

  /** Forgets what is in memory: what the journal says was run again. */
  reset(): void {
    this.#bulk?.reset();
    if (this.#rows.size > 0) this.#rows.clear();
  }
}
