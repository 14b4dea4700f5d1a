import { unusual } from "./wire-reader.ts";

/** Longest string whose characters are written one by one: for more, the call into the runtime pays. */
const shortText = 48;

/**
 * Writes the protobuf wire format for the few messages that every task passes through, byte for byte as the library does.
 * Fields are to be written in the order of their numbers. Tags are a field's number times 8, and its wire type.
 */
export class WireWriter {
  #bytes: Buffer;
  #at = 0;

  /** @param expectedBytes room to begin with; it grows as need be */
  constructor(expectedBytes: number) {
    this.#bytes = Buffer.allocUnsafe(Math.max(expectedBytes, 64));
  }

  /** How much was written. */
  get length(): number {
    return this.#at;
  }

  /** What was written. The writer is used up. */
  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#at);
  }

  /** A varint field, unless it is 0. At most 2^53 - 1. */
  number(tag: number, value: number): void {
    if (value === 0) return;
    this.#reserve(16);
    this.#varint(tag);
    this.#varint(value);
  }

  /** A bool field, unless it is false. */
  bool(tag: number, value: boolean): void {
    if (value) this.number(tag, 1);
  }

  /** A double field, unless it is 0. */
  double(tag: number, value: number): void {
    if (!Object.is(value, 0)) this.someDouble(tag, value);
  }

  /** A double field, 0 or not. */
  someDouble(tag: number, value: number): void {
    this.#reserve(16);
    this.#varint(tag);
    this.#at = this.#bytes.writeDoubleLE(value, this.#at);
  }

  /** A string field, unless it is empty. */
  text(tag: number, value: string): void {
    if (value !== "") this.someText(tag, value);
  }

  /** A string field, empty or not. One with half a surrogate pair is left to the library. */
  someText(tag: number, value: string): void {
    const { length } = value;
    this.#reserve(16 + length * 3);
    this.#varint(tag);
    const bytes = this.#bytes;
    if (length <= shortText) {
      // Its length takes one byte, if all of it is ASCII.
      let at = this.#at + 1;
      let i = 0;
      for (; i < length; i++) {
        const code = value.charCodeAt(i);
        if (code > 0x7f) break;
        bytes[at++] = code;
      }
      if (i === length) {
        bytes[this.#at] = length;
        this.#at = at;
        return;
      }
    }
    // Room for the length that it has if all of it is ASCII, which is seen once it is written: one call into the runtime, not two.
    const start = this.#at;
    const room = lengthOfVarint(length);
    const encoded = bytes.write(value, start + room, "utf8");
    if (encoded !== length) {
      if (!value.isWellFormed()) throw unusual;
      const takes = lengthOfVarint(encoded);
      if (takes !== room) bytes.copyWithin(start + takes, start + room, start + room + encoded);
    }
    this.#varint(encoded);
    this.#at += encoded;
  }

  /** A bytes field, or a message that is encoded already; empty or not. */
  bytes(tag: number, value: Uint8Array): void {
    this.someBytes(tag, value, 0, value.length);
  }

  /** The same with a part of some bytes. */
  someBytes(tag: number, source: Uint8Array, from: number, to: number): void {
    this.#reserve(16 + to - from);
    this.#varint(tag);
    this.#varint(to - from);
    this.#copy(source, from, to);
  }

  /** Whole fields that are encoded already. */
  raw(fields: Uint8Array): void {
    this.#reserve(fields.length);
    this.#copy(fields, 0, fields.length);
  }

  /** What was written from a place to another, once more: whole fields. */
  again(from: number, to: number): void {
    this.#reserve(to - from);
    const bytes = this.#bytes;
    let at = this.#at;
    // Mostly some 50 bytes: the call into the runtime takes as long.
    for (let i = from; i < to; i++) bytes[at++] = bytes[i] ?? 0;
    this.#at = at;
  }

  /** A field whose length and bytes lie there already, one behind the other. */
  delimited(tag: number, source: Uint8Array, from: number, to: number): void {
    this.#reserve(8 + to - from);
    this.#varint(tag);
    this.#copy(source, from, to);
  }

  /**
   * Begins a message field; give what this answers to {@link close}.
   *
   * @param lengthBytes how many bytes its length will probably take: if it is another number, it is moved
   */
  open(tag: number, lengthBytes: 1 | 2): number {
    this.#reserve(16);
    this.#varint(tag);
    const mark = this.#at * 4 + lengthBytes;
    this.#at += lengthBytes;
    return mark;
  }

  /** Ends it. */
  close(mark: number): void {
    const lengthBytes = mark % 4;
    const start = (mark - lengthBytes) / 4;
    const length = this.#at - start - lengthBytes;
    const takes = lengthOfVarint(length);
    if (takes !== lengthBytes) {
      this.#reserve(8);
      this.#bytes.copyWithin(start + takes, start + lengthBytes, this.#at);
    }
    this.#at = start;
    this.#varint(length);
    this.#at += length;
  }

  #varint(value: number): void {
    const bytes = this.#bytes;
    let rest = value;
    let at = this.#at;
    for (; rest > 0x7fff_ffff; rest = Math.floor(rest / 0x80)) bytes[at++] = (rest % 0x80) | 0x80;
    for (; rest >= 0x80; rest >>>= 7) bytes[at++] = (rest & 0x7f) | 0x80;
    bytes[at++] = rest;
    this.#at = at;
  }

  #copy(source: Uint8Array, from: number, to: number): void {
    const bytes = this.#bytes;
    let at = this.#at;
    this.#at += to - from;
    // For a few bytes the call into the runtime takes longer than the bytes do.
    if (to - from <= 32) for (let i = from; i < to; i++) bytes[at++] = source[i] ?? 0;
    else bytes.set(from === 0 && to === source.length ? source : source.subarray(from, to), at);
  }

  #reserve(bytes: number): void {
    const needed = this.#at + bytes;
    if (needed <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2));
    this.#bytes.copy(grown, 0, 0, this.#at);
    this.#bytes = grown;
  }
}

/** How many bytes a length takes. */
function lengthOfVarint(length: number): number {
  return length < 0x80 ? 1 : length < 0x4000 ? 2 : length < 0x20_0000 ? 3 : length < 0x1000_0000 ? 4 : 5;
}
