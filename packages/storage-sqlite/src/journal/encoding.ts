/*
 * How a commit stands in the journal: the statements that changed something, in order, with the values that were bound.
 *
 *   record   = length u32, crc32 u32, number f64, now f64, numbers f64, entry*
 *   entry    = statement u16, values u16, value*      a statement with its values
 *            | 0xffff, statement u16, text            what a statement's number stands for, before its first use in a file
 *   value    = 0 null | 1 f64 | 2 string | 3 bytes    strings and bytes begin with their length, u32
 *
 * Little-endian. The checksum is over everything behind it, so what was torn by a crash is not taken for a record. In memory one
 * stands right behind the other, in a file each at a block (blocks.ts).
 */
import { crc32 } from "node:zlib";
import { nextBlock } from "./blocks.ts";

/** What can be bound to a statement here. */
export type Value = number | string | Uint8Array | null;

/** A statement that was run, by its number. */
export interface Change {
  readonly statement: number;
  readonly values: readonly Value[];
}

/** A commit as it was found. */
export interface JournalRecord {
  /** One more than that of the record before. */
  readonly number: number;
  readonly now: number;
  /** The last number that the shard had given out. */
  readonly numbers: number;
  readonly changes: readonly Change[];
  /** What it says of the numbers of statements. */
  readonly definitions: ReadonlyMap<number, string>;
}

const headerBytes = 32;
const definition = 0xffff;
const tags = { null: 0, number: 1, text: 2, bytes: 3 };

/** Records one behind another, in memory. */
export class RecordBuffer {
  #bytes: Buffer;
  /** Where the record under way begins, and where the next byte goes. */
  #start = 0;
  #end = 0;
  #bytesInFile = 0;

  constructor(size: number) {
    this.#bytes = Buffer.allocUnsafeSlow(size);
  }

  /** How much there is room for. */
  get capacity(): number {
    return this.#bytes.length;
  }

  /** How much there is as it lies in a file, without the record under way. */
  get bytesInFile(): number {
    return this.#bytesInFile;
  }

  /** Whether the record under way has an entry. */
  get hasEntries(): boolean {
    return this.#end > this.#start + headerBytes;
  }

  /** Begins a record. */
  begin(): void {
    this.#end = this.#start;
    this.#reserve(headerBytes);
    this.#end += headerBytes;
  }

  /** What a statement's number stands for. */
  define(statement: number, sql: string): void {
    this.#reserve(8 + sql.length * 3);
    this.#end = this.#bytes.writeUInt16LE(definition, this.#end);
    this.#end = this.#bytes.writeUInt16LE(statement, this.#end);
    this.#text(sql);
  }

  change(statement: number, values: readonly Value[]): void {
    this.#reserve(4);
    this.#end = this.#bytes.writeUInt16LE(statement, this.#end);
    this.#end = this.#bytes.writeUInt16LE(values.length, this.#end);
    for (const value of values) this.#value(value);
  }

  /** Ends the record: from now on it is there. */
  finish(number: number, now: number, numbers: number): void {
    const start = this.#start;
    this.#bytes.writeUInt32LE(this.#end - start, start);
    this.#bytes.writeDoubleLE(number, start + 8);
    this.#bytes.writeDoubleLE(now, start + 16);
    this.#bytes.writeDoubleLE(numbers, start + 24);
    this.#bytes.writeUInt32LE(crc32(this.#bytes.subarray(start + 8, this.#end)), start + 4);
    this.#bytesInFile += nextBlock(this.#end - start);
    this.#start = this.#end;
  }

  /** What is there from a byte on. It stays as it is until {@link clear}. */
  from(offset: number): Buffer {
    return this.#bytes.subarray(offset, this.#start);
  }

  clear(): void {
    this.#start = this.#end = this.#bytesInFile = 0;
  }

  #value(value: Value): void {
    this.#reserve(9);
    if (typeof value === "number") {
      this.#bytes[this.#end] = tags.number;
      this.#end = this.#bytes.writeDoubleLE(value, this.#end + 1);
    } else if (typeof value === "string") {
      this.#reserve(5 + value.length * 3);
      this.#bytes[this.#end++] = tags.text;
      this.#text(value);
    } else if (value === null) {
      this.#bytes[this.#end++] = tags.null;
    } else {
      if (!(value instanceof Uint8Array)) throw new TypeError(`a statement cannot be given ${String(value)}`);
      this.#reserve(5 + value.length);
      this.#bytes[this.#end] = tags.bytes;
      this.#end = this.#bytes.writeUInt32LE(value.length, this.#end + 1);
      this.#bytes.set(value, this.#end);
      this.#end += value.length;
    }
  }

  #text(text: string): void {
    const length = this.#bytes.write(text, this.#end + 4);
    this.#bytes.writeUInt32LE(length, this.#end);
    this.#end += 4 + length;
  }

  #reserve(bytes: number): void {
    if (this.#end + bytes <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#bytes.length * 2, this.#end + bytes));
    larger.set(this.#bytes.subarray(0, this.#end));
    this.#bytes = larger;
  }
}

/** Each of the records of a {@link RecordBuffer}, as its bytes. */
export function eachRecord(bytes: Buffer): Buffer[] {
  const records: Buffer[] = [];
  for (let start = 0; start < bytes.length;) {
    const end = start + bytes.readUInt32LE(start);
    records.push(bytes.subarray(start, end));
    start = end;
  }
  return records;
}

/**
 * The records at the beginning of some bytes, as far as each is whole and numbered one behind the one before: what follows
 * was torn by a crash, or is of an earlier use of the file.
 *
 * @param blockBytes each begins at a multiple of it
 */
export function* readRecords(bytes: Buffer, blockBytes = 1): Iterable<JournalRecord> {
  let last: number | undefined;
  for (let start = 0; start + headerBytes <= bytes.length;) {
    const length = bytes.readUInt32LE(start);
    if (length < headerBytes || start + length > bytes.length) return;
    const end = start + length;
    if (bytes.readUInt32LE(start + 4) !== crc32(bytes.subarray(start + 8, end))) return;
    const number = bytes.readDoubleLE(start + 8);
    if (last !== undefined && number !== last + 1) return;
    last = number;
    const [now, numbers] = [bytes.readDoubleLE(start + 16), bytes.readDoubleLE(start + 24)];
    yield { number, now, numbers, ...readEntries(bytes, start + headerBytes, end) };
    start = nextBlock(end, blockBytes);
  }
}

function readEntries(
  bytes: Buffer,
  start: number,
  end: number,
): { readonly changes: Change[]; readonly definitions: Map<number, string> } {
  const changes: Change[] = [];
  const definitions = new Map<number, string>();
  let at = start;
  const text = (): string => {
    const from = at + 4;
    at = from + bytes.readUInt32LE(at);
    return bytes.toString("utf8", from, at);
  };
  const value = (): Value => {
    const tag = bytes[at++] ?? -1;
    switch (tag) {
      case tags.null:
        return null;
      case tags.number:
        at += 8;
        return bytes.readDoubleLE(at - 8);
      case tags.text:
        return text();
      case tags.bytes: {
        const from = at + 4;
        at = from + bytes.readUInt32LE(at);
        return bytes.subarray(from, at);
      }
      default:
        throw new Error(`a record of the journal has a value of kind ${tag}`);
    }
  };
  while (at < end) {
    const statement = bytes.readUInt16LE(at);
    const second = bytes.readUInt16LE(at + 2);
    at += 4;
    if (statement === definition) {
      definitions.set(second, text());
      continue;
    }
    changes.push({ statement, values: Array.from({ length: second }, value) });
  }
  return { changes, definitions };
}
