import { WireReader } from "./wire-reader.ts";

/** A message that is apart: what there is of it once, and where the items of its long list lie. */
export interface SplitMessage {
  /** The message without the items, to be read by the library. */
  readonly rest: Uint8Array;
  /** Where each item begins, behind its length, and ends: two numbers an item. */
  readonly items: readonly number[];
}

/** Takes a message apart whose list with this tag is its bulk. Throws `unusual` for bytes that are no message, or not a plain one. */
export function splitItems(bytes: Uint8Array, itemTag: number): SplitMessage {
  const reader = new WireReader(bytes);
  const items: number[] = [];
  const parts: Uint8Array[] = [];
  for (let begins = 0; ; begins = reader.at) {
    const tag = reader.tag();
    if (tag === 0) break;
    reader.skip(tag);
    if (tag === itemTag) items.push(reader.from, reader.to);
    else parts.push(reader.bytes.subarray(begins, reader.at));
  }
  return { rest: parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts), items };
}
