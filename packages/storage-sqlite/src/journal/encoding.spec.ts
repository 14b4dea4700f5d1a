import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { blockBytes, Blocks, nextBlock } from "./blocks.ts";
import { eachRecord, RecordBuffer, readRecords, type JournalRecord, type Value } from "./encoding.ts";

const bytesOf = (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
const plain = { noNullPrototype: true } as const;
const value: fc.Arbitrary<Value> = fc.oneof(
  fc.constant(null),
  fc.double(),
  fc.integer(),
  fc.constantFrom(0, -0, NaN, Infinity, -Infinity, Number.MAX_SAFE_INTEGER, 1_800_000_000_000),
  fc.string({ unit: "binary" }),
  fc.constantFrom("", "\0", "ÿ€😀", "x".repeat(5_000), "€".repeat(700)),
  fc.uint8Array().map(bytesOf),
);
const change = fc.record({ statement: fc.nat(0xfffe), values: fc.array(value) }, plain);
const entry = fc.oneof(
  { weight: 3, arbitrary: change },
  { weight: 1, arbitrary: fc.record({ defines: fc.nat(0xffff), sql: fc.string({ unit: "binary" }) }, plain) },
);
const record = fc.record(
  {
    now: fc.integer({ min: 0, max: 2 ** 48 }),
    numbers: fc.nat(2 ** 31),
    entries: fc.array(entry, { maxLength: 8 }),
  },
  plain,
);
type Written = typeof record extends fc.Arbitrary<infer One> ? One : never;
const records = fc.array(record, { minLength: 1, maxLength: 6 });

function write(buffer: RecordBuffer, written: readonly Written[], first = 1): void {
  for (const [i, { now, numbers, entries }] of written.entries()) {
    buffer.begin();
    for (const one of entries) {
      if ("defines" in one) buffer.define(one.defines, one.sql);
      else buffer.change(one.statement, one.values);
    }
    buffer.finish(first + i, now, numbers);
  }
}

/** What is to be read of what was written. */
function expected(written: readonly Written[], first = 1): JournalRecord[] {
  return written.map(({ now, numbers, entries }, i) => ({
    number: first + i,
    now,
    numbers,
    changes: entries.flatMap((one) => ("defines" in one ? [] : [one])),
    definitions: new Map(entries.flatMap((one) => ("defines" in one ? [[one.defines, one.sql] as const] : []))),
  }));
}

function bytesWritten(written: readonly Written[], first = 1): Buffer {
  const buffer = new RecordBuffer(16);
  write(buffer, written, first);
  return Buffer.from(buffer.from(0));
}

describe("the encoding of records", () => {
  it("gives back what was written, whatever it is", () => {
    fc.assert(
      fc.property(records, fc.integer({ min: 1, max: 2 ** 40 }), (written, first) => {
        expect([...readRecords(bytesWritten(written, first))]).toStrictEqual(expected(written, first));
      }),
    );
  });

  it("tells -0 from 0, as the driver does", () => {
    const [one] = readRecords(bytesWritten([{ now: 0, numbers: 0, entries: [{ statement: 1, values: [-0, 0] }] }]));
    expect(one?.changes[0]?.values.map((number) => Object.is(number, -0))).toEqual([true, false]);
  });

  it("reads what half a character is stored as: the driver would store the same", () => {
    const [one] = readRecords(
      bytesWritten([{ now: 0, numbers: 0, entries: [{ statement: 1, values: ["a\ud800b"] }] }]),
    );
    expect(one?.changes[0]?.values).toEqual(["a\ufffdb"]);
  });

  it("ends before what was cut off", () => {
    fc.assert(
      fc.property(records, fc.double({ min: 0, max: 1, noNaN: true }), (written, share) => {
        const bytes = bytesWritten(written);
        const cut = bytes.subarray(0, Math.floor(bytes.length * share));
        const found = [...readRecords(cut)];
        expect(found).toStrictEqual(expected(written).slice(0, found.length));
        expect(bytesWritten(written.slice(0, found.length)).length).toBeLessThanOrEqual(cut.length);
        if (found.length < written.length) {
          expect(bytesWritten(written.slice(0, found.length + 1)).length).toBeGreaterThan(cut.length);
        }
      }),
    );
  });

  it("are found each at the next block, where they are laid out so, as far as they are whole", () => {
    fc.assert(
      fc.property(records, fc.double({ min: 0, max: 1, noNaN: true }), (written, share) => {
        const each = eachRecord(bytesWritten(written));
        expect(each).toHaveLength(written.length);
        const bytes = Buffer.from(new Blocks().layOut(each));
        const starts = each.map((_, i) => each.slice(0, i).reduce((sum, { length }) => sum + nextBlock(length), 0));
        expect(starts.every((start, i) => bytes.subarray(start).indexOf(each[i] ?? "") === 0)).toBe(true);
        const rest = starts.flatMap((start, i) => [...bytes.subarray(start + (each[i]?.length ?? 0), starts[i + 1])]);
        expect(rest.every((byte) => byte === 0)).toBe(true);
        expect([...readRecords(bytes, blockBytes)]).toStrictEqual(expected(written));
        const cut = Math.floor(bytes.length * share);
        const whole = starts.filter((start, i) => start + (each[i]?.length ?? 0) <= cut).length;
        expect([...readRecords(bytes.subarray(0, cut), blockBytes)]).toStrictEqual(expected(written).slice(0, whole));
      }),
    );
  });

  it("ends before a record of which a byte is another, wherever it is", () => {
    fc.assert(
      fc.property(
        records,
        fc.double({ min: 0, max: 0.9999, noNaN: true }),
        fc.integer({ min: 1, max: 255 }),
        (written, share, by) => {
          const bytes = bytesWritten(written);
          const at = Math.floor(bytes.length * share);
          bytes.writeUInt8((bytes[at] ?? 0) ^ by, at);
          const whole = written.findIndex((_, i) => bytesWritten(written.slice(0, i + 1)).length > at);
          expect([...readRecords(bytes)]).toStrictEqual(expected(written).slice(0, whole));
        },
      ),
    );
  });

  it("ends before what is no record, or not the next one", () => {
    fc.assert(
      fc.property(records, records, fc.uint8Array(), fc.integer({ min: 2, max: 9 }), (written, older, rest, by) => {
        const next = written.length + 1;
        const behind = [
          Buffer.alloc(8_192),
          bytesOf(rest),
          bytesWritten(older, next + by),
          bytesWritten(older, next - by),
        ];
        for (const end of behind) {
          const found = [...readRecords(Buffer.concat([bytesWritten(written), end]))];
          expect(found).toStrictEqual(expected(written));
        }
      }),
    );
  });

  it("writes over what it held, once it was cleared, and forgets what was begun and not finished", () => {
    fc.assert(
      fc.property(records, records, record, (before, after, never) => {
        const buffer = new RecordBuffer(64);
        write(buffer, before);
        buffer.begin();
        for (const one of never.entries) if (!("defines" in one)) buffer.change(one.statement, one.values);
        expect([...readRecords(buffer.from(0))]).toStrictEqual(expected(before));
        buffer.clear();
        expect(buffer.bytesInFile).toBe(0);
        buffer.begin();
        expect(buffer.hasEntries).toBe(false);
        write(buffer, after);
        expect([...readRecords(buffer.from(0))]).toStrictEqual(expected(after));
      }),
    );
  });

  it("leaves what was handed out as it is when it grows", () => {
    const buffer = new RecordBuffer(64);
    write(buffer, [{ now: 1, numbers: 1, entries: [{ statement: 3, values: ["a"] }] }]);
    const taken = buffer.from(0);
    const copy = Buffer.from(taken);
    write(buffer, [{ now: 2, numbers: 2, entries: [{ statement: 4, values: ["b".repeat(10_000)] }] }], 2);
    expect(buffer.capacity).toBeGreaterThan(10_000);
    expect(taken.equals(copy)).toBe(true);
    expect([...readRecords(buffer.from(0))].map(({ number }) => number)).toEqual([1, 2]);
    expect([...readRecords(buffer.from(taken.length))].map(({ number }) => number)).toEqual([2]);
  });

  it("refuses what cannot be bound, and more values than it can count", () => {
    const buffer = new RecordBuffer(64);
    buffer.begin();
    for (const wrong of [true, 1n, undefined, {}, [1]]) {
      expect(() => buffer.change(1, [wrong as unknown as Value])).toThrow("a statement cannot be given");
    }
    expect(() =>
      buffer.change(
        1,
        Array.from({ length: 0x1_0000 }, () => 1),
      ),
    ).toThrow(RangeError);
    expect(() => buffer.change(0x1_0000, [])).toThrow(RangeError);
    // What it had of them is forgotten with the record.
    write(buffer, [{ now: 1, numbers: 1, entries: [{ statement: 1, values: [1] }] }]);
    expect([...readRecords(buffer.from(0))]).toHaveLength(1);
  });
});
