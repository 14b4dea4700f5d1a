import { execFileSync } from "node:child_process";
import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { mayMount, removeFolder, temporaryFolder } from "../../test/temporary.ts";
import { Blocks, blocksOfMemory } from "./blocks.ts";
import { eachRecord, RecordBuffer } from "./encoding.ts";
import { recordsBehind, removeJournals, Segments } from "./segments.ts";

/** Records with these numbers, as they lie in a file; each defines its statement, which is named after it. */
function records(...numbers: readonly number[]): Buffer {
  const buffer = new RecordBuffer(64);
  for (const number of numbers) {
    buffer.begin();
    buffer.define(number, `statement ${number}`);
    buffer.change(number, [number, "x".repeat(number)]);
    buffer.finish(number, 1_000 + number, number * 10);
  }
  return Buffer.from(new Blocks().layOut(eachRecord(buffer.from(0))));
}

const mayMountRamfs = mayMount("ramfs", "ramfs");

/** Whether a file there can be written past the system's cache. */
function takesDirect(folder: string): boolean {
  const path = join(folder, "probe");
  writeFileSync(path, "");
  try {
    const fd = openSync(path, constants.O_WRONLY | constants.O_DIRECT);
    try {
      return writeSync(fd, blocksOfMemory(4_096), 0, 4_096, 0) === 4_096;
    } finally {
      closeSync(fd);
    }
  } catch {
    return false;
  }
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

  it.skipIf(!mayMountRamfs)(
    "are written with the system's cache between where a file system knows no other way",
    () => {
      const disk = join(folder, "ramfs");
      mkdirSync(disk);
      execFileSync("mount", ["-t", "ramfs", "ramfs", disk]);
      try {
        const segments = new Segments(join(disk, "tq.db"), 1, 8_192);
        // Past the cache it would be refused: it neither begins at a block nor fills one.
        writeSync(segments.fd, Buffer.from("xyz"), 0, 3, 5);
        expect(readFileSync(segments.path).subarray(4, 9).toString()).toBe("\0xyz\0");
        segments.close();
      } finally {
        execFileSync("umount", [disk]);
      }
    },
  );

  it.runIf(process.platform === "linux")("are written past the system's cache where that can be", () => {
    // The folder of the other tests may be in memory; what this one is on is not known, so it is asked.
    const at = mkdtempSync(join(tmpdir(), "tq-direct-"));
    try {
      const isDirect = takesDirect(at);
      const segments = new Segments(join(at, "tq.db"), 1, 8_192);
      const unaligned = (): number => writeSync(segments.fd, Buffer.from("xyz"), 0, 3, 5);
      if (isDirect) expect(unaligned).toThrow(/EINVAL/);
      else expect(unaligned()).toBe(3);
      expect(writeSync(segments.fd, blocksOfMemory(4_096).fill(7), 0, 4_096, 4_096)).toBe(4_096);
      expect(readFileSync(segments.path).readUInt8(4_096)).toBe(7);
      segments.close();
    } finally {
      removeFolder(at);
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
