import Database from "better-sqlite3";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BulkInsert } from "../bulk-insert.ts";
import { LateRows } from "./late-rows.ts";
import { Writes } from "./writes.ts";

/** What is done to the row of a key, one after the other; and when it is settled, or a transaction fails. */
type Step = { readonly do: "put" | "remove"; readonly key: number; readonly value: number } | { readonly do: "settle" };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constantFrom("put", "remove"), key: fc.nat(70), value: fc.nat(99) }) },
  { weight: 1, arbitrary: fc.constant({ do: "settle" } as const) },
);

const putRow = "insert or replace into t values(?, ?)";
const removeRow = "delete from t where key = ?";

function openTable(): Database.Database {
  const db = new Database(":memory:");
  db.exec("create table t(key integer primary key, value integer not null)");
  db.exec("insert into t values(0, 0), (1, 1)");
  return db;
}

const rowsOf = (db: Database.Database) => db.prepare("select * from t order by key").raw().all();

describe("rows that are written late", () => {
  it("come to what the statements would have made of them one by one, and so does what was logged", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), fc.boolean(), fc.boolean(), (steps, tellsNew, isBulk) => {
        const [late, atOnce, again] = [openTable(), openTable(), openTable()];
        const logged: { readonly sql: string; readonly values: readonly unknown[] }[] = [];
        const sqls: string[] = [];
        const writes = new Writes(late, {
          statement: (sql) => sqls.push(sql) - 1,
          log: (statement, values) => void logged.push({ sql: sqls[statement] ?? "", values }),
        });
        const bulk = new BulkInsert(writes, "t", 2, "on conflict do update set value = excluded.value", false);
        const rows = new LateRows<number>(writes.prepare(putRow), writes.prepare(removeRow), isBulk ? bulk : undefined);
        /** As a caller knows it: what is there, and what the file has. */
        const there = new Map([
          [0, 0],
          [1, 1],
        ]);
        let inFile = new Set(there.keys());
        const changed = new Set<number>();
        for (const one of steps) {
          if (one.do === "settle") {
            rows.settle();
            inFile = new Set(there.keys());
            changed.clear();
            expect(rowsOf(late)).toEqual(rowsOf(atOnce));
            continue;
          }
          const { key, value } = one;
          if (one.do === "put") {
            rows.put(key, [key, value], tellsNew && !there.has(key));
            atOnce.prepare(putRow).run(key, value);
            there.set(key, value);
          } else {
            rows.remove(key, key);
            atOnce.prepare(removeRow).run(key);
            there.delete(key);
          }
          changed.add(key);
          for (const each of changed) {
            const now = there.get(each);
            // One that is not there and never was is not known to have been changed.
            if (now !== undefined) expect(rows.get(each)).toEqual([each, now]);
            else if (inFile.has(each)) expect(rows.get(each)).toBe(null);
            else expect(rows.get(each) ?? null).toBe(null);
          }
        }
        rows.settle();
        for (const { sql, values } of logged) again.prepare(sql).run(...values);
        expect(rowsOf(late)).toEqual(rowsOf(atOnce));
        expect(rowsOf(again)).toEqual(rowsOf(atOnce));
        for (const db of [late, atOnce, again]) db.close();
      }),
    );
  });

  it("that come and go between two settlings are not written at all", () => {
    const db = openTable();
    const writes = new Writes(db, { statement: () => 0, log: () => undefined });
    const rows = new LateRows<number>(writes.prepare(putRow), writes.prepare(removeRow));
    const before = db.prepare("select total_changes()").pluck();
    const changes = before.get();
    rows.put(7, [7, 7], true);
    rows.put(7, [7, 8]);
    rows.remove(7, 7);
    rows.settle();
    expect(before.get()).toBe(changes);
    db.close();
  });

  it("are forgotten when the transaction fails", () => {
    const db = openTable();
    const writes = new Writes(db, { statement: () => 0, log: () => undefined });
    const rows = new LateRows<number>(writes.prepare(putRow), writes.prepare(removeRow));
    rows.put(0, [0, 9]);
    rows.remove(1, 1);
    rows.reset();
    expect([rows.get(0), rows.get(1)]).toEqual([undefined, undefined]);
    rows.settle();
    expect(rowsOf(db)).toEqual([
      [0, 0],
      [1, 1],
    ]);
    db.close();
  });
});
