import type { Encoded } from "@tq/storage";

/*
 * The input column of a task. Small inputs that are mostly ASCII, as JSON is, are stored as text, one character for each
 * byte: SQLite's driver makes a string of a text for a fifth of what a buffer of its own costs it, and Node takes the bytes
 * back out of the string into its pool. That is a tenth of what claiming a task costs. Everything else is a blob.
 */
const maxTextBytes = 2_048;
/** A byte from 0x80 on is two in UTF-8, so of these there may be few. */
const mostHighBytes = 1 / 8;

/** The column for an input. */
export function writeInput(input: Encoded): Encoded | string {
  const { length } = input;
  if (length > maxTextBytes) return input;
  const most = length * mostHighBytes;
  let high = 0;
  for (let i = 0; i < length; i++) if ((input[i] ?? 0) >= 0x80 && ++high > most) return input;
  return Buffer.from(input.buffer, input.byteOffset, length).toString("latin1");
}

/** Reads the column. */
export function readInput(column: Buffer | string): Buffer {
  return typeof column === "string" ? Buffer.from(column, "latin1") : column;
}
