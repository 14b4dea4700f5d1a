import type { Value } from "./journal/encoding.ts";
import type { Write, Writes } from "./journal/writes.ts";

/** How many rows a statement inserts: one of 32 costs as much as 20 of one. */
export const rowsAtOnce = 32;

/** Rows of one table that are inserted together. Whoever reads or deletes them flushes first. */
export class BulkInsert {
  readonly #columns: number;
  readonly #isLogged: boolean;
  readonly #one: Write;
  readonly #many: Write;
  #values: Value[] = [];

  /**
   * @param table where to, such as "front"
   * @param columns how many it has
   * @param onConflict what follows the values, if they may be there already
   * @param isLogged false: the journal has been told of each
   */
  constructor(writes: Writes, table: string, columns: number, onConflict = "", isLogged = true) {
    this.#isLogged = isLogged;
    this.#columns = columns;
    const row = `(${Array.from({ length: columns }, () => "?").join(", ")})`;
    const rows = Array.from({ length: rowsAtOnce }, () => row).join(", ");
    this.#one = writes.prepare(`insert into ${table} values${row} ${onConflict}`);
    this.#many = writes.prepare(`insert into ${table} values${rows} ${onConflict}`);
  }

  add(...row: readonly Value[]): void {
    this.#values.push(...row);
    if (this.#values.length < rowsAtOnce * this.#columns) return;
    this.#run(this.#many, this.#values);
    this.#values = [];
  }

  /** Inserts what is left. */
  flush(): void {
    if (this.#values.length === 0) return;
    for (let i = 0; i < this.#values.length; i += this.#columns) {
      this.#run(this.#one, this.#values.slice(i, i + this.#columns));
    }
    this.#values = [];
  }

  /** Forgets what is left: the transaction failed. */
  reset(): void {
    this.#values = [];
  }

  #run(statement: Write, values: readonly Value[]): void {
    if (this.#isLogged) statement.run(...values);
    else statement.settle(...values);
  }
}
