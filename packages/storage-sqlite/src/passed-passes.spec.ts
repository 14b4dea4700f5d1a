import Database from "better-sqlite3";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { PassedPasses } from "./passed-passes.ts";

const everyMs = 10_000;

describe("the passes that the virtual time has passed", () => {
  let db: Database.Database;
  let passed: PassedPasses;
  /** Queues of which the virtual times were asked: those in which there was a row to look at. */
  let asked: number[];

  const take = (now: number, limit = 100): string[] => {
    asked = [];
    const virtualTimesOf = (queue: number): number[] => {
      asked.push(queue);
      return [0, 0, 0, 50, 0, 0];
    };
    return passed.take(now, limit, virtualTimesOf).map(({ queue, key }) => `${queue}/${key}`);
  };

  beforeEach(() => {
    db = new Database(":memory:");
    db.exec("create table key_pass(queue, priority, key, pass, primary key(queue, priority, key)) without rowid");
    passed = new PassedPasses(db);
    const insert = db.prepare("insert into key_pass values(?, 3, ?, ?)");
    for (const queue of [1, 2, 3])
      for (const [key, pass] of Object.entries({ a: 49, b: 50, c: 51 })) insert.run(queue, key, pass);
  });

  afterEach(() => {
    db.close();
  });

  it("are found in every queue once, after it was forgotten which have moved", () => {
    passed.reset(1_000);
    expect(passed.next).toBe(1_000 + everyMs);
    expect(take(999 + everyMs)).toEqual([]);
    expect(take(1_000 + everyMs)).toEqual(["1/a", "1/b", "2/a", "2/b", "3/a", "3/b"]);
    expect(passed.next).toBeUndefined();
  });

  it("are then looked for in the queues that have moved alone", () => {
    passed.reset(0);
    take(everyMs);
    passed.flush(everyMs);
    expect(passed.next).toBeUndefined();

    passed.moved(2);
    passed.flush(20_000);
    expect(passed.next).toBe(20_000 + everyMs);
    // What moves until it begins belongs to it.
    passed.moved(3);
    passed.flush(25_000);
    expect(take(20_000 + everyMs).sort()).toEqual(["2/a", "2/b", "3/a", "3/b"]);
    expect(new Set(asked)).toEqual(new Set([2, 3]));
    expect(passed.next).toBeUndefined();
  });

  it.each([1, 2, 4, 5])("are found however few rows are looked at at a time: %i", (limit) => {
    for (const begin of ["all", "moved"] as const) {
      passed.reset(0);
      if (begin === "moved") {
        take(everyMs, 1_000);
        for (const queue of [1, 2, 3]) passed.moved(queue);
        passed.flush(everyMs);
      }
      const found: string[] = [];
      for (let looks = 0; passed.next !== undefined; looks++) {
        expect(looks).toBeLessThan(20);
        expect(passed.next).toBeLessThanOrEqual(2 * everyMs);
        found.push(...take(passed.next, limit));
        expect(asked.length).toBeLessThanOrEqual(limit);
      }
      expect(found.sort()).toEqual(["1/a", "1/b", "2/a", "2/b", "3/a", "3/b"]);
    }
  });

  it("do not keep a look at queues without any rows from ending, nor make it long", () => {
    passed.reset(0);
    take(everyMs);
    for (let queue = 100; queue < 110; queue++) passed.moved(queue);
    passed.flush(everyMs);
    let looks = 0;
    for (; passed.next !== undefined && looks < 20; looks++) expect(take(passed.next, 4)).toEqual([]);
    expect(looks).toBe(3);
  });

  it("are looked for less often where much is looked at in vain, and no more seldom where it is removed", () => {
    db.exec("delete from key_pass");
    const insert = db.prepare("insert into key_pass values(?, 3, ?, ?)");
    for (let key = 0; key < 200_000; key++) insert.run(9, `key-${key}`, 60);
    passed.reset(0);
    passed.moved(9);
    expect(take(everyMs, 1_000_000)).toEqual([]);
    passed.flush(everyMs);
    // So 20 s for each 200,000 rows.
    expect(passed.next).toBe(everyMs + 20_000);
    db.exec("update key_pass set pass = 40");
    take(passed.next ?? 0, 1_000_000);
    expect(passed.next).toBeUndefined();
    passed.moved(9);
    passed.flush(40_000);
    expect(passed.next).toBe(40_000 + everyMs);
  });

  it("are not looked for sooner since nothing moved while much was looked at", () => {
    const insert = db.prepare("insert into key_pass values(9, 3, ?, 60)");
    for (let key = 0; key < 200_000; key++) insert.run(`key-${key}`);
    passed.reset(0);
    take(everyMs, 1_000_000);
    expect(passed.next).toBeUndefined();
    passed.moved(9);
    passed.flush(everyMs);
    expect(passed.next).toBeGreaterThanOrEqual(everyMs + 20_000);
  });

  it("ask once for the virtual times of a queue", () => {
    passed.reset(0);
    take(everyMs);
    expect(asked).toEqual([1, 2, 3]);
  });
});
