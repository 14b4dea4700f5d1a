import { isUtf8 } from "node:buffer";
import { payloadTags, unusual, type WireReader } from "@tq/proto/wire";
import type { Encoded } from "@tq/storage";
import { bounds } from "../validation/bounds.ts";

/**
 * A payload as it is to be stored, which is as it came: checked, and not decoded. One with metadata, one that is not
 * written as the library does, and one that is wrong are unusual.
 *
 * @param withLength its length goes before it, as in an input
 */
export function readSomePayload(reader: WireReader, withLength: boolean): Encoded {
  const begins = reader.at;
  reader.piece();
  const { from, to, end } = reader;
  if (to - from > bounds.payloadBytes) throw unusual;
  reader.at = from;
  reader.end = to;
  let tag = reader.tag();
  if (tag === payloadTags.contentType) {
    if (reader.plainText().length > bounds.contentTypeBytes || reader.from === reader.to) throw unusual;
    tag = reader.tag();
  }
  if (tag === payloadTags.text) {
    reader.piece();
    if (!isUtf8(reader.bytes.subarray(reader.from, reader.to))) throw unusual;
    tag = reader.tag();
  } else if (tag === payloadTags.bytes) {
    reader.piece();
    tag = reader.tag();
  }
  if (tag !== 0) throw unusual;
  reader.at = to;
  reader.end = end;
  return reader.bytes.subarray(withLength ? begins : from, to);
}
