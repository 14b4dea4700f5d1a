import Database from "better-sqlite3";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { RecordBuffer, readRecords, type Value } from "./encoding.ts";
import { noLog, runAgain, Writes, type Log } from "./writes.ts";

const value: fc.Arbitrary<Value> = fc.oneof(
  fc.constant(null),
  fc.double(),
  fc.integer(),
  fc.constantFrom(0, -0, NaN, Infinity, -Infinity, 2 ** 31, -(2 ** 31) - 1, Number.MAX_SAFE_INTEGER, 2 ** 60, 1.5),
  fc.string({ unit: "binary" }),
  fc.string({ unit: "grapheme" }),
  // Halves of characters, which no encoding has.
  fc.constantFrom("", "a\0b", "a\ud800", "\udfffb", "\ud800\ud800", "007", "1e3"),
  fc.uint8Array().map((bytes) => Buffer.from(bytes)),
);

/** A log in memory, and what its statements stand for. */
class MemoryLog implements Log {
  readonly buffer = new RecordBuffer(64);
  readonly sqls: string[] = [];
  /** How many changes were logged. */
  logged = 0;

  statement(sql: string): number {
    return this.sqls.push(sql) - 1;
  }

  log(statement: number, values: readonly Value[]): void {
    this.logged += 1;
    this.buffer.change(statement, values);
  }
}

function openTables(): Database.Database {
  const db = new Database(":memory:");
  db.exec(`create table shard(now integer, numbers integer, logged integer); insert into shard values(0, 0, 0);
    create table t(id integer primary key, plain, whole integer, floating real, written text, bytes blob)`);
  return db;
}

/** Every row, with the kind and the bits of each value. */
function rowsOf(db: Database.Database): unknown[] {
  const columns = ["id", "plain", "whole", "floating", "written", "bytes"];
  const sql = columns.map((name) => `typeof(${name}), ${name}, hex(${name})`).join(", ");
  return db.prepare(`select ${sql} from t order by id`).raw().all();
}

describe("statements that are logged", () => {
  let db: Database.Database;
  let other: Database.Database;
  let log: MemoryLog;
  let writes: Writes;

  beforeEach(() => {
    [db, other, log] = [openTables(), openTables(), new MemoryLog()];
    writes = new Writes(db, log);
    log.buffer.begin();
  });
  afterEach(() => {
    db.close();
    other.close();
  });

  /** Ends the record, and runs it over the other database. */
  function runOverOther(): void {
    log.buffer.finish(1, 1_000, 7);
    runAgain(other, [...readRecords(log.buffer.from(0))], (statement) => log.sqls[statement]);
    log.buffer.clear();
    log.buffer.begin();
  }

  it("leave the same when they are run again, whatever they were given", () => {
    const insert = writes.prepare("insert into t(plain, whole, floating, written, bytes) values(?, ?, ?, ?, ?)");
    const update = writes.prepare("update t set plain = ? where id = (select max(id) from t)");
    fc.assert(
      fc.property(fc.array(value, { maxLength: 4 }), value, (values, last) => {
        for (const one of values) insert.run(one, one, one, one, one);
        update.run(last);
        runOverOther();
        expect(rowsOf(other)).toEqual(rowsOf(db));
      }),
    );
    expect(rowsOf(db).length).toBeGreaterThan(100);
  });

  it("that change nothing are not logged, nor are those that only settle", () => {
    const insert = writes.prepare("insert or ignore into t(id) values(?)");
    expect([insert.run(1), insert.run(1), insert.run(2)]).toEqual([1, 0, 1]);
    insert.settle(3);
    const taken = writes.prepareReturning<number>("delete from t where id = ? returning id");
    expect([taken.get(2), taken.get(2)]).toEqual([2, undefined]);
    expect(log.logged).toBe(3);
    insert.promise(4);
    runOverOther();
    expect(other.prepare("select id from t order by id").pluck().all()).toEqual([1, 4]);
    expect(db.prepare("select id from t order by id").pluck().all()).toEqual([1, 3]);
  });

  it("give out the same numbers of rows when they are run again", () => {
    const insert = writes.prepareReturning<number>("insert into t(plain) values(?) returning id");
    const remove = writes.prepare("delete from t where id = ?");
    const given = ["a", "b", "c"].map((text) => insert.get(text));
    remove.run(given[2] ?? 0);
    insert.get("d");
    runOverOther();
    expect(rowsOf(other)).toEqual(rowsOf(db));
  });

  it("are noted with how far they came, all of them", () => {
    const insert = writes.prepare("insert into t(plain) values(?)");
    insert.run("a");
    log.buffer.finish(41, 1_000, 7);
    log.buffer.begin();
    insert.run("b");
    log.buffer.finish(42, 2_000, 9);
    runAgain(other, [...readRecords(log.buffer.from(0))], (statement) => log.sqls[statement]);
    expect(other.prepare("select now, numbers, logged from shard").raw().get()).toEqual([2_000, 9, 42]);
    runAgain(other, [], () => undefined);
    expect(other.prepare("select logged from shard").pluck().get()).toBe(42);
  });

  it("of which nobody says what they stand for are refused", () => {
    writes.prepare("insert into t(plain) values(?)").run("a");
    log.buffer.finish(41, 1_000, 7);
    expect(() => runAgain(other, [...readRecords(log.buffer.from(0))], () => undefined)).toThrow(
      expect.objectContaining({
        code: "unusable",
        message: "commit 41 has a statement 0 that the log does not define",
      }),
    );
  });

  it("need no log where there is no journal", () => {
    expect(new Writes(db, noLog).prepare("insert into t(plain) values(?)").run("a")).toBe(1);
  });
});
