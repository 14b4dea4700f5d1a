import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { removeFolder, temporaryFolder } from "../../test/temporary.ts";
import { RecordBuffer } from "./encoding.ts";
import { recordsBehind, removeJournals, Segments } from "./segments.ts";

/** The bytes of records with these numbers; each defines its statement, which is named after it. */
function records(...numbers: readonly number[]): Buffer {
  const buffer = new RecordBuffer(64);
  for (const number of numbers) {
    buffer.begin();
    buffer.define(number, `statement ${number}`);
    buffer.change(number, [number, "x".repeat(number)]);
    buffer.finish(number, 1_000 + number, number * 10);
  }
  return Buffer.from(buffer.from(0));
}

describe("the files of the journal", () => {
  let folder: string;
  let database: string;
  beforeEach(() => {
    folder = temporaryFolder();
    database = join(folder, "tq.db");
  });
  afterEach(() => removeFolder(folder));

  function put(name: string, bytes: Buffer): void {
    // As it is kept: with what was there before, or nothing, behind.
    writeFileSync(join(folder, name), Buffer.concat([bytes, Buffer.alloc(1_000)]));
  }

  function numbersBehind(number: number, epoch = 3): number[] {
    return recordsBehind(database, epoch, number).records.map((record) => record.number);
  }

  it("are two, made whole before they are used, and used in turn", () => {
    const segments = new Segments(database, 7, 8_192);
    try {
      expect(readdirSync(folder).sort()).toEqual(["tq.db-log.7.0", "tq.db-log.7.1"]);
      for (const end of [0, 1]) {
        expect(readFileSync(`${database}-log.7.${end}`).equals(Buffer.alloc(8_192))).toBe(true);
      }
      const first = segments.fd;
      expect([segments.path, segments.advance(1_000), segments.advance(3_095)]).toEqual([
        `${database}-log.7.0`,
        0,
        1_000,
      ]);
      expect(segments.isFull).toBe(false);
      expect([segments.advance(1), segments.isFull]).toEqual([4_095, true]);
      segments.turn();
      expect([segments.path, segments.isFull, segments.advance(1)]).toEqual([`${database}-log.7.1`, false, 0]);
      expect(segments.fd).not.toBe(first);
      segments.turn();
      expect([segments.path, segments.fd, segments.advance(1)]).toEqual([`${database}-log.7.0`, first, 0]);
    } finally {
      segments.close();
    }
  });

  it("tell what is behind a number, with what the numbers of its statements stand for", () => {
    put("tq.db-log.3.0", records(4, 5, 6));
    put("tq.db-log.3.1", records(7, 8));
    const { records: found, statements } = recordsBehind(database, 3, 5);
    expect(found.map(({ number, now, numbers }) => [number, now, numbers])).toEqual([
      [6, 1_006, 60],
      [7, 1_007, 70],
      [8, 1_008, 80],
    ]);
    // One that was defined before them as well.
    expect([4, 6, 8].map((number) => statements.get(number))).toEqual(["statement 4", "statement 6", "statement 8"]);
    expect(numbersBehind(8)).toEqual([]);
    expect(numbersBehind(100)).toEqual([]);
  });

  it("are read in order, whichever of them is the newer", () => {
    put("tq.db-log.3.0", records(7, 8));
    put("tq.db-log.3.1", records(4, 5, 6));
    expect(numbersBehind(3)).toEqual([4, 5, 6, 7, 8]);
  });

  it("may have older records behind those that were written over them", () => {
    const older = records(1, 2, 3, 4, 5, 6);
    records(10).copy(older);
    writeFileSync(`${database}-log.3.0`, older);
    put("tq.db-log.3.1", records(7, 8, 9));
    expect(numbersBehind(6)).toEqual([7, 8, 9, 10]);
    // The next older one begins just where the newer ends.
    const between = records(7, 8, 9, 10);
    writeFileSync(`${database}-log.3.0`, Buffer.concat([between, records(2, 3)]));
    expect(numbersBehind(6)).toEqual([7, 8, 9, 10]);
  });

  it("may have been torn at the beginning of one that is used again", () => {
    const torn = records(7, 8);
    torn.writeUInt8(torn.readUInt8(40) ^ 1, 40);
    put("tq.db-log.3.0", torn);
    put("tq.db-log.3.1", records(4, 5, 6));
    expect(numbersBehind(4)).toEqual([5, 6]);
  });

  it("of other epochs, and of other databases, are nobody's business", () => {
    put("tq.db-log.2.0", records(1, 2));
    put("tq.db-log.4.0", records(1, 2));
    put("tq.db-log.33.0", records(1, 2));
    put("tq.db-log.3.2", records(1, 2));
    put("tq.db-log.3.0.bak", records(1, 2));
    put("tq.db-log.3.0x", records(1, 2));
    put("tq.db2-log.3.0", records(1, 2));
    put("other-tq.db-log.3.0", records(1, 2));
    put("tq.db-log.5-log.3.0", records(1, 2));
    expect(numbersBehind(0)).toEqual([]);
    expect(recordsBehind(`${database}2`, 3, 0).records).toHaveLength(2);
    expect(recordsBehind(`${database}-log.5`, 3, 0).records).toHaveLength(2);
    const others = readdirSync(folder).length;
    removeJournals(database, (epoch) => epoch === 4);
    expect(readdirSync(folder)).toHaveLength(others - 1);
    expect(existsSync(`${database}-log.4.0`)).toBe(false);
    removeJournals(database, () => true);
    expect(readdirSync(folder).sort()).toEqual([
      "other-tq.db-log.3.0",
      "tq.db-log.3.0.bak",
      "tq.db-log.3.0x",
      "tq.db-log.3.2",
      "tq.db-log.5-log.3.0",
      "tq.db2-log.3.0",
    ]);
  });

  it("are refused where something is missing between them and the database", () => {
    put("tq.db-log.3.0", records(7, 8));
    expect(() => numbersBehind(5)).toThrow(
      expect.objectContaining({
        code: "unusable",
        message:
          `${database} ends with commit 5, and the log beside it goes on with 7: they do not belong together. ` +
          "Put the files back as they were, or restore a backup into an empty folder.",
      }),
    );
    put("tq.db-log.3.1", records(10));
    expect(() => numbersBehind(6)).toThrow(/ends with commit 8, and the log beside it goes on with 10/);
  });

  it("in a folder that is gone are none", () => {
    expect(recordsBehind(join(folder, "gone", "tq.db"), 1, 0).records).toEqual([]);
    removeJournals(join(folder, "gone", "tq.db"), () => true);
    expect(statSync(folder).isDirectory()).toBe(true);
  });
});
