import type { Encoded } from "@tq/storage";

/*
 * A column that holds a small JSON value and some byte strings: [length][JSON] and then [length][bytes] for each, the
 * lengths as 32-bit big-endian. JSON alone would need base64 for the payloads, which are most of it.
 */
const absent = 0xffffffff;

/** Packs a JSON value with byte strings, of which some may be absent. */
export function frame(value: unknown, blobs: readonly (Encoded | undefined)[]): Buffer {
  const json = Buffer.from(JSON.stringify(value));
  const size = 4 + json.length + blobs.reduce((sum, blob) => sum + 4 + (blob?.length ?? 0), 0);
  const out = Buffer.allocUnsafe(size);
  let at = out.writeUInt32BE(json.length, 0);
  at += json.copy(out, at);
  for (const blob of blobs) {
    at = out.writeUInt32BE(blob?.length ?? absent, at);
    if (blob === undefined) continue;
    out.set(blob, at);
    at += blob.length;
  }
  return out;
}

/** Undoes {@link frame}. The shape of the JSON is the caller's to know: only this engine writes these columns. */
export function unframe<Value>(framed: Buffer): {
  readonly value: Value;
  readonly blobs: readonly (Encoded | undefined)[];
} {
  const jsonLength = framed.readUInt32BE(0);
  const value = JSON.parse(framed.toString("utf8", 4, 4 + jsonLength)) as Value;
  const blobs: (Encoded | undefined)[] = [];
  for (let at = 4 + jsonLength; at < framed.length;) {
    const length = framed.readUInt32BE(at);
    at += 4;
    if (length === absent) {
      blobs.push(undefined);
      continue;
    }
    blobs.push(framed.subarray(at, at + length));
    at += length;
  }
  return { value, blobs };
}
