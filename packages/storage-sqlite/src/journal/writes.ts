import type Database from "better-sqlite3";
import { StoreError } from "@tq/storage";
import type { JournalRecord, Value } from "./encoding.ts";

/** Where it is noted what was run. */
export interface Log {
  statement(sql: string): number;
  log(statement: number, values: readonly Value[]): void;
}

/** For whoever has no journal. */
export const noLog: Log = { statement: () => 0, log: () => undefined };

/** Prepares the statements that change something: what they do stands in the journal, too. */
export class Writes {
  readonly #db: Database.Database;
  readonly #log: Log;

  constructor(db: Database.Database, log: Log) {
    this.#db = db;
    this.#log = log;
  }

  prepare(sql: string): Write {
    return new Write(this.#db.prepare<Value[]>(sql), this.#log, this.#log.statement(sql));
  }

  /** One that changes a row and answers a column of it. */
  prepareReturning<Column>(sql: string): ReturningWrite<Column> {
    return new ReturningWrite(this.#db.prepare<Value[], Column>(sql).pluck(), this.#log, this.#log.statement(sql));
  }
}

/** A statement that changes something. */
export class Write {
  readonly #statement: Database.Statement<Value[]>;
  readonly #log: Log;
  readonly #number: number;

  constructor(statement: Database.Statement<Value[]>, log: Log, number: number) {
    this.#statement = statement;
    this.#log = log;
    this.#number = number;
  }

  /** Runs it. Answers how many rows changed; nothing is logged if none did. */
  run(...values: readonly Value[]): number {
    const { changes } = this.#statement.run(...values);
    if (changes > 0) this.#log.log(this.#number, values);
    return changes;
  }

  /** Says that it is to be run: by {@link settle}, when the time has come. */
  promise(...values: readonly Value[]): void {
    this.#log.log(this.#number, values);
  }

  /** Runs what was promised, or what all that was promised comes to. */
  settle(...values: readonly Value[]): void {
    this.#statement.run(...values);
  }
}

/** A statement that changes a row and answers a column of it. */
export class ReturningWrite<Column> {
  readonly #statement: Database.Statement<Value[], Column>;
  readonly #log: Log;
  readonly #number: number;

  constructor(statement: Database.Statement<Value[], Column>, log: Log, number: number) {
    this.#statement = statement;
    this.#log = log;
    this.#number = number;
  }

  /** Runs it. Answers the column; undefined: there was no such row. */
  get(...values: readonly Value[]): Column | undefined {
    const column = this.#statement.get(...values);
    if (column !== undefined) this.#log.log(this.#number, values);
    return column;
  }
}

/** Notes in the shard's row what a record ends with: its time, the last number that was given out, and its own number. */
export const stampShard = "update shard set now = ?, numbers = ?, logged = ?";

/**
 * Runs again what records say, in the transaction that is under way, and notes how far it came.
 *
 * @param sqlOf what the number of a statement stands for
 */
export function runAgain(
  db: Database.Database,
  records: readonly JournalRecord[],
  sqlOf: (statement: number) => string | undefined,
): void {
  const prepared = new Map<number, Database.Statement<Value[]>>();
  for (const { number, changes } of records) {
    for (const { statement, values } of changes) {
      let write = prepared.get(statement);
      if (write === undefined) {
        const sql = sqlOf(statement);
        if (sql === undefined) {
          throw new StoreError(
            "unusable",
            `commit ${number} has a statement ${statement} that the log does not define`,
          );
        }
        prepared.set(statement, (write = db.prepare<Value[]>(sql)));
      }
      if (write.reader) write.all(...values);
      else write.run(...values);
    }
  }
  const last = records.at(-1);
  if (last !== undefined) {
    db.prepare(stampShard).run(last.now, last.numbers, last.number);
  }
}
