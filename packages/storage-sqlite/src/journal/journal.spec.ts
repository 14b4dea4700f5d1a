import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { removeFolder, temporaryFolder } from "../../test/temporary.ts";
import { blockBytes } from "./blocks.ts";
import { readRecords } from "./encoding.ts";
import { Journal } from "./journal.ts";
import { syncedAtOnce, type LogCalls } from "./log-sync.ts";
import { recordsBehind } from "./segments.ts";

const limits = { commits: 4, bytes: 100_000, segmentBytes: 128 * 1_024 };

/** A disk whose later writes and syncs end when the test says so. */
class HeldDisk {
  readonly writing: { readonly bytes: Uint8Array; readonly copy: Buffer; readonly end: (error?: Error) => void }[] = [];
  readonly syncing: ((error: Error | null) => void)[] = [];
  /** What is on disk, piece by piece, and in which memory it stood. */
  readonly written: { readonly bytes: Buffer; readonly memory: ArrayBufferLike }[] = [];
  syncsNow = 0;
  failsNow = false;
  isSlow = false;
  #elapsed = 0;
  readonly calls: LogCalls = {
    writeLater: (fd, bytes, position, done) => {
      const end = (error?: Error) => {
        if (error === undefined) this.calls.writeNow(fd, bytes, position);
        done(error ?? null);
      };
      this.writing.push({ bytes, copy: Buffer.from(bytes), end });
    },
    writeNow: (fd, bytes, position) => {
      this.written.push({ bytes: Buffer.from(bytes), memory: bytes.buffer });
      syncedAtOnce.writeNow(fd, bytes, position);
    },
    syncLater: (_fd, done) => void this.syncing.push(done),
    syncNow: () => {
      this.syncsNow += 1;
      if (this.failsNow) throw new Error("EIO");
    },
    elapsed: () => (this.#elapsed += this.isSlow ? 5 : 0),
  };

  endWrite(error?: Error): void {
    const writing = this.writing.shift();
    if (writing === undefined) throw new Error("nothing is being written");
    expect(writing.copy.equals(writing.bytes)).toBe(true);
    writing.end(error);
  }
}

describe("the journal", () => {
  let folder: string;
  let path: string;
  let disk: HeldDisk;
  let journal: Journal;
  let add: number;
  let drop: number;

  beforeEach(() => {
    folder = temporaryFolder();
    path = join(folder, "tq.db");
    writeFileSync(`${path}-wal`, "");
    disk = new HeldDisk();
    journal = new Journal({ path, epoch: 5, last: 100 }, limits, disk.calls);
    add = journal.statement("insert into t values(?)");
    drop = journal.statement("delete from t");
  });
  afterEach(() => {
    disk.failsNow = false;
    journal.close();
    removeFolder(folder);
  });

  function commit(value: string | number, statement = add): Promise<void> {
    journal.begin();
    journal.log(statement, [value]);
    journal.finish(1_000, 7);
    return journal.written();
  }

  /** Fills the present file, and settles. */
  function fill(): void {
    void commit("x".repeat(limits.segmentBytes));
    journal.settled();
  }

  const file = (which: 0 | 1) => `${path}-log.5.${which}`;
  const recordsIn = (which: 0 | 1) => [...readRecords(readFileSync(file(which)), blockBytes)];
  const numbersIn = (which: 0 | 1) => recordsIn(which).map(({ number }) => number);

  it("writes each record behind the one before, numbered on from what the database has", async () => {
    await commit("a");
    await commit("b");
    expect(journal.last).toBe(102);
    const { records, statements } = recordsBehind(path, 5, 100);
    expect(records.map(({ number, now, numbers, changes }) => ({ number, now, numbers, changes }))).toEqual([
      { number: 101, now: 1_000, numbers: 7, changes: [{ statement: add, values: ["a"] }] },
      { number: 102, now: 1_000, numbers: 7, changes: [{ statement: add, values: ["b"] }] },
    ]);
    expect([...statements]).toEqual([[add, "insert into t values(?)"]]);
  });

  it("is to be settled after so many records or bytes, and is overdue after four times as many", () => {
    const seen = Array.from({ length: 16 }, () => (void commit(1), `${journal.isDue} ${journal.isOverdue}`));
    expect(seen.indexOf("true false")).toBe(3);
    expect(seen.indexOf("true true")).toBe(15);
    journal.settled();
    expect([journal.isDue, journal.isOverdue]).toEqual([false, false]);
    void commit("x".repeat(100_000));
    expect([journal.isDue, journal.isOverdue]).toEqual([true, false]);
    void commit("x".repeat(300_000));
    expect([journal.isDue, journal.isOverdue]).toEqual([true, true]);
  });

  it("tells what a transaction has to do again: what was finished since it was settled", () => {
    void commit("a");
    journal.settled();
    expect(journal.unsettled()).toEqual([]);
    void commit("b");
    journal.begin();
    journal.log(add, ["never"]);
    expect(journal.hasChanges).toBe(true);
    journal.abandon();
    expect(journal.hasChanges).toBe(false);
    void commit("c");
    expect(journal.unsettled().map(({ number, changes }) => [number, changes[0]?.values])).toEqual([
      [102, ["b"]],
      [103, ["c"]],
    ]);
    expect(journal.sqlOf(drop)).toBe("delete from t");
  });

  it("says again what a statement stands for if the record that said it came to nothing", () => {
    journal.begin();
    journal.log(add, ["never"]);
    journal.abandon();
    void commit("a");
    void commit("b", drop);
    expect(recordsIn(0).map(({ definitions }) => [...definitions.keys()])).toEqual([[add], [drop]]);
  });

  it("says again what statements stand for in each file that it begins", () => {
    void commit("a");
    fill();
    void commit("b");
    void commit("c");
    fill();
    void commit("d");
    expect([numbersIn(0), numbersIn(1)]).toEqual([[106], [103, 104, 105]]);
    for (const which of [0, 1] as const) expect([...(recordsIn(which)[0]?.definitions.keys() ?? [])]).toEqual([add]);
  });

  it("makes a file longer for a record that is longer, and finds it again", async () => {
    await commit("x".repeat(200_000));
    expect(statSync(file(0)).size).toBeGreaterThan(200_000);
    expect(recordsBehind(path, 5, 100).records[0]?.changes[0]?.values).toEqual(["x".repeat(200_000)]);
    journal.settled();
    await commit("next");
    expect(numbersIn(1)).toEqual([102]);
  });

  it("uses a file again once what it holds is on disk in the database, and not before", () => {
    fill();
    // The second file is new: nothing has to be waited for.
    expect([disk.syncing.length, disk.syncsNow]).toEqual([1, 0]);
    disk.syncing.shift()?.(null);
    fill();
    expect([disk.syncing.length, disk.syncsNow]).toEqual([1, 0]);
    // This one takes so long that the next turn waits for one of its own.
    fill();
    expect([disk.syncing.length, disk.syncsNow]).toEqual([2, 1]);
    // That of the turn before says nothing about what was settled since.
    disk.syncing.shift()?.(null);
    fill();
    expect(disk.syncsNow).toBe(2);
    for (const done of disk.syncing.splice(0)) done(null);
    fill();
    expect(disk.syncsNow).toBe(2);
  });

  it("leaves a file as it is if the database does not reach the disk, and believes nothing any more", async () => {
    fill();
    fill();
    void commit("a");
    disk.syncing.at(-1)?.(new Error("EIO"));
    expect(journal.lost).toMatchObject({
      code: "lost",
      message: expect.stringContaining(`${path}-wal: EIO`) as string,
    });
    await expect(commit("b")).rejects.toMatchObject({ code: "lost" });
    expect(numbersIn(0)).toEqual([103]);
  });

  it("the same if it waited for that itself", () => {
    fill();
    disk.failsNow = true;
    void commit("x".repeat(limits.segmentBytes));
    expect(() => journal.settled()).toThrow(/-wal: EIO/);
    expect(journal.lost).toMatchObject({ code: "lost" });
    expect(numbersIn(0)).toEqual([101]);
  });

  describe("on a slow disk", () => {
    beforeEach(() => {
      disk.isSlow = true;
      while (disk.writing.length === 0) void commit("slow");
      disk.endWrite();
      journal.settled();
    });

    it("what is being written stays as it is while commits go on and are settled", () => {
      const from = journal.last;
      for (const value of ["a", "b", "c"]) void commit(value);
      journal.settled();
      for (const value of ["d", "e", "f"]) void commit(value);
      journal.settled();
      for (const value of ["g", "h"]) void commit(value);
      // Each looks whether its bytes are still what they were.
      while (disk.writing.length > 0) disk.endWrite();
      const { records } = recordsBehind(path, 5, from);
      expect(records.map(({ changes }) => changes[0]?.values[0])).toEqual(["a", "b", "c", "d", "e", "f", "g", "h"]);
      expect(journal.isOnDisk).toBe(true);
    });

    it("each record is written once, whole and in order, however commits, settling and writes follow each other", () => {
      fc.assert(
        fc.property(
          fc.array(fc.constantFrom("commit", "commit", "settle", "write"), { maxLength: 60, size: "max" }),
          (steps) => {
            const [before, from] = [disk.written.length, journal.last];
            let value = from;
            for (const step of steps) {
              if (step === "settle") journal.settled();
              else if (step === "commit") void commit(++value);
              else if (disk.writing.length > 0) disk.endWrite();
            }
            while (disk.writing.length > 0) disk.endWrite();
            journal.settled();
            const records = disk.written.slice(before).flatMap(({ bytes }) => [...readRecords(bytes, blockBytes)]);
            const expected = Array.from({ length: value - from }, (_, i) => [from + 1 + i, from + 1 + i]);
            expect(records.map(({ number, changes }) => [number, changes[0]?.values[0]])).toEqual(expected);
            expect(journal.isOnDisk).toBe(true);
          },
        ),
      );
    });

    it("what is written stands in the same memory each time", () => {
      const before = disk.written.length;
      for (let settled = 0; settled < 20; settled++) {
        void commit("a");
        journal.settled();
        disk.endWrite();
        void commit("b");
        disk.endWrite();
      }
      const memory = disk.written.slice(before).map((piece) => piece.memory);
      expect([memory.length, new Set(memory).size]).toEqual([40, 1]);
    });

    it("memory that a large commit took is let go of as it is settled", () => {
      void commit("x".repeat(9 * 1_024 * 1_024));
      disk.endWrite();
      void commit("b");
      journal.settled();
      disk.endWrite();
      for (let settled = 0; settled < 4; settled++) {
        void commit("c");
        journal.settled();
        disk.endWrite();
      }
      const memory = disk.written.slice(-4).map((piece) => piece.memory.byteLength);
      expect(Math.max(...memory)).toBeLessThanOrEqual(8 * 1_024 * 1_024);
    });

    it("what was settled before it was written comes first, also in the next file", async () => {
      const from = journal.last;
      void commit("x".repeat(limits.segmentBytes));
      const second = commit("b");
      const third = commit("c", drop);
      journal.settled();
      const fourth = commit("d", drop);
      disk.endWrite();
      disk.endWrite();
      await Promise.all([second, third, fourth]);
      expect(numbersIn(0).at(-1)).toBe(from + 1);
      expect(numbersIn(1)).toEqual([from + 2, from + 3, from + 4]);
      // What is run again is behind the turn, and says itself what its statements stand for.
      expect([...(recordsIn(1).at(-1)?.definitions.keys() ?? [])]).toEqual([drop]);
      expect(recordsBehind(path, 5, from).records).toHaveLength(4);
    });

    it("on disk is what was finished before it was asked, and nothing is where a write failed", async () => {
      const first = commit("a");
      const second = commit("b");
      expect(journal.isOnDisk).toBe(false);
      const all = journal.onDisk();
      disk.endWrite(new Error("EIO"));
      for (const each of [first, second, all, journal.onDisk()])
        await expect(each).rejects.toMatchObject({ code: "lost" });
      expect(journal.isOnDisk).toBe(false);
    });
  });
});
