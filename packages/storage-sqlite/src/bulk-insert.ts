import type Database from "better-sqlite3";

/** How many rows a statement inserts: one of 32 costs as much as 20 of one. */
const rowsAtOnce = 32;

/** Rows of one table that are inserted together. Whoever reads or deletes them flushes first. */
export class BulkInsert {
  readonly #columns: number;
  readonly #one: Database.Statement;
  readonly #many: Database.Statement;
  #values: (number | string)[] = [];

  /**
   * @param table where to, such as "front"
   * @param columns how many it has
   * @param onConflict what follows the values, if they may be there already
   */
  constructor(db: Database.Database, table: string, columns: number, onConflict = "") {
    this.#columns = columns;
    const row = `(${Array.from({ length: columns }, () => "?").join(", ")})`;
    const rows = Array.from({ length: rowsAtOnce }, () => row).join(", ");
    this.#one = db.prepare(`insert into ${table} values${row} ${onConflict}`);
    this.#many = db.prepare(`insert into ${table} values${rows} ${onConflict}`);
  }

  add(...row: readonly (number | string)[]): void {
    this.#values.push(...row);
    if (this.#values.length < rowsAtOnce * this.#columns) return;
    this.#many.run(this.#values);
    this.#values = [];
  }

  /** Inserts what is left. */
  flush(): void {
    if (this.#values.length === 0) return;
    for (let i = 0; i < this.#values.length; i += this.#columns) {
      this.#one.run(this.#values.slice(i, i + this.#columns));
    }
    this.#values = [];
  }

  /** Forgets what is left: the transaction failed. */
  reset(): void {
    this.#values = [];
  }
}
