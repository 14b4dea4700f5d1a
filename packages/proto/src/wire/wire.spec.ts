import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { splitItems, unusual, WireReader, WireWriter } from "./index.ts";

const count = fc.oneof(
  fc.constantFrom(0, 1, 127, 128, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, Number.MAX_SAFE_INTEGER),
  fc.maxSafeNat(),
);
const text = fc.oneof(fc.string({ maxLength: 200 }), fc.string({ unit: "grapheme", maxLength: 100 }));

describe("WireWriter and WireReader", () => {
  test("numbers are written and read as the library does", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100_000 }), count, (field, value) => {
        const writer = new WireWriter(0);
        writer.number(field * 8, value);
        const own = writer.finish();
        const theirs =
          value === 0 ? new Uint8Array() : new BinaryWriter().tag(field, WireType.Varint).uint64(value).finish();
        expect(Buffer.from(own)).toEqual(Buffer.from(theirs));
        if (value === 0) return;
        const reader = new WireReader(own);
        expect([reader.tag(), reader.number(), reader.tag()]).toEqual([field * 8, value, 0]);
      }),
    );
  });

  test("texts, bytes and messages of any length are written and read as the library does", () => {
    fc.assert(
      fc.property(
        fc.array(text, { maxLength: 5 }),
        fc.uint8Array({ maxLength: 300 }),
        fc.constantFrom<1 | 2>(1, 2),
        (texts, bytes, room) => {
          const own = new WireWriter(0);
          const mark = own.open(0x0a, room);
          for (const value of texts) own.someText(0x12, value);
          own.bytes(0x1a, bytes);
          own.close(mark);
          own.text(0x22, "behind");
          const inner = new BinaryWriter();
          for (const value of texts) inner.tag(2, WireType.LengthDelimited).string(value);
          inner.tag(3, WireType.LengthDelimited).bytes(bytes);
          const theirs = new BinaryWriter().tag(1, WireType.LengthDelimited).bytes(inner.finish());
          theirs.tag(4, WireType.LengthDelimited).string("behind");
          const written = Buffer.from(own.finish());
          expect(written).toEqual(Buffer.from(theirs.finish()));

          const reader = new WireReader(written);
          expect(reader.tag()).toBe(0x0a);
          reader.piece();
          const part = new WireReader(written, reader.from, reader.to);
          for (const value of texts) {
            expect(part.tag()).toBe(0x12);
            if (!value.includes("\ufffd")) expect(part.text()).toBe(value);
            else part.piece();
          }
          expect([part.tag(), Buffer.from(part.view())]).toEqual([0x1a, Buffer.from(bytes)]);
          expect(part.tag()).toBe(0);
        },
      ),
    );
  });

  test("half a surrogate pair has no UTF-8, and is left to the library", () => {
    expect(() => new WireWriter(0).text(0x0a, "\ud800")).toThrow(unusual);
  });

  test.each([
    ["a length beyond the end", [0x0a, 0x05, 0x61]],
    ["a number that breaks off", [0x08, 0x80]],
    ["a number in a longer form than it needs", [0x08, 0x81, 0x00]],
    ["a number of more than 53 bits", [0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]],
    ["field number 0", [0x02, 0x00]],
    ["a group", [0x0b, 0x0c]],
    ["eight bytes that are four", [0x09, 1, 2, 3, 4]],
  ])("%s is unusual", (_what, bytes) => {
    expect(() => splitItems(Uint8Array.from(bytes), 0x1a)).toThrow(unusual);
  });

  test("text that is no UTF-8 is unusual, and so is a name with a control character", () => {
    expect(() => new WireReader(Uint8Array.of(0x01, 0xff)).text()).toThrow(unusual);
    expect(() => new WireReader(Uint8Array.of(0x01, 0x0a)).plainText()).toThrow(unusual);
    expect(() => new WireReader(Uint8Array.of(0x02, 0xc3, 0xa4)).plainText()).toThrow(unusual);
  });
});

test("a message is split into its items and the rest, wherever its items lie", () => {
  const field = (no: number, value: string) =>
    new BinaryWriter().tag(no, WireType.LengthDelimited).string(value).finish();
  const bytes = Buffer.concat([field(3, "one"), field(1, "a"), field(3, ""), field(20, "b"), field(3, "two")]);
  const { rest, items } = splitItems(bytes, 0x1a);
  const found = [0, 2, 4].map((i) => bytes.toString("utf8", items[i], items[i + 1]));
  expect(found).toEqual(["one", "", "two"]);
  expect(Buffer.from(rest)).toEqual(Buffer.concat([field(1, "a"), field(20, "b")]));
  const reader = new BinaryReader(rest);
  expect(reader.tag()).toEqual([1, WireType.LengthDelimited]);
});
