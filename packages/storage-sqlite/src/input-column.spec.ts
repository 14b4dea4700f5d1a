import Database from "better-sqlite3";
import fc from "fast-check";
import { expect, it } from "vitest";
import { readInput, writeInput } from "./input-column.ts";

it("gives back every byte, over the file", () => {
  const db = new Database(":memory:");
  db.exec("create table t(input blob not null)");
  const insert = db.prepare("insert into t values(?)");
  const read = db.prepare<[], Buffer | string>("select input from t").pluck();
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.uint8Array({ max: 0x80, maxLength: 3_000 }),
    fc.string({ unit: "binary", maxLength: 100 }).map((text) => new TextEncoder().encode(text)),
  );
  fc.assert(
    fc.property(bytes, (input) => {
      db.exec("delete from t");
      insert.run(writeInput(input));
      expect(Uint8Array.from(readInput(read.get() ?? ""))).toEqual(input);
    }),
    { numRuns: 500 },
  );
  db.close();
});

it.each([
  ["text for small ones that are ASCII", new Uint8Array(256).fill(0x61), "string"],
  [
    "text for a few bytes that are not",
    Uint8Array.from([0x0a, 0x80, 0x02, ...new Uint8Array(64).fill(0x61)]),
    "string",
  ],
  ["text with a zero byte", new Uint8Array(3), "string"],
  ["a blob for many of them", new Uint8Array(256).fill(0xff), "object"],
  ["a blob for large ones", new Uint8Array(2_049).fill(0x61), "object"],
])("is %s", (_what, input, type) => {
  expect(typeof writeInput(input)).toBe(type);
});
