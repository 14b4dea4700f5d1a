/*
 * How payloads are stored. One payload is its protobuf encoding, tq.v1.Payload. A list of them (an input) is each one's
 * encoding behind its length as a varint, the usual size-delimited form: no message of its own, and any protobuf library
 * can read it.
 *
 * Encoding is written out by hand, since every task passes here: the reflective encoder takes 7 µs for a small payload,
 * this one a tenth of that. Decoding is the library's, which is fast. The spec compares the two byte for byte.
 */
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { PayloadSchema, type Payload } from "@tq/proto";
import { payloadTags } from "@tq/proto/wire";
import type { Encoded } from "@tq/storage";

/** No payload at all: the input of a task without arguments. */
export const noPayloads: Encoded = new Uint8Array(0);

/** Bytes of what a payload carries: its body, content type and metadata. This is what the 2 MiB limit counts. */
export function payloadBytes(payload: Payload): number {
  let bytes = Buffer.byteLength(payload.contentType) + bodyBytes(payload);
  for (const key in payload.metadata) bytes += Buffer.byteLength(key) + Buffer.byteLength(payload.metadata[key] ?? "");
  return bytes;
}

/** Encodes one payload. */
export function encodePayload(payload: Payload): Encoded {
  if (payload.$unknown !== undefined && payload.$unknown.length > 0) return toBinary(PayloadSchema, payload);
  const buffer = Buffer.allocUnsafe(encodedBytes(payload));
  writePayload(payload, buffer, 0);
  return buffer;
}

/** Decodes one payload. */
export function decodePayload(encoded: Encoded): Payload {
  return fromBinary(PayloadSchema, encoded);
}

/** Encodes a list of payloads. */
export function encodePayloads(payloads: readonly Payload[]): Encoded {
  const [only] = payloads;
  if (only === undefined) return noPayloads;
  if (payloads.length === 1 && only.$unknown === undefined) {
    const bytes = encodedBytes(only);
    const buffer = Buffer.allocUnsafe(varintBytes(bytes) + bytes);
    writePayload(only, buffer, writeVarint(bytes, buffer, 0));
    return buffer;
  }
  const parts: Uint8Array[] = [];
  for (const payload of payloads) {
    const encoded = encodePayload(payload);
    const length = Buffer.allocUnsafe(varintBytes(encoded.length));
    writeVarint(encoded.length, length, 0);
    parts.push(length, encoded);
  }
  return Buffer.concat(parts);
}

/** Decodes a list of payloads. */
export function decodePayloads(encoded: Encoded): Payload[] {
  const payloads: Payload[] = [];
  let at = 0;
  while (at < encoded.length) {
    let length = 0;
    let factor = 1;
    for (let byte = 0x80; byte >= 0x80; factor *= 0x80) {
      byte = encoded[at++] ?? 0;
      length += (byte & 0x7f) * factor;
    }
    payloads.push(fromBinary(PayloadSchema, encoded.subarray(at, at + length)));
    at += length;
  }
  return payloads;
}

/** Of an entry of the metadata: every map has these. */
const metadataTags = { key: 0x0a, value: 0x12 } as const;

function bodyBytes({ body }: Payload): number {
  if (body.case === "text") return Buffer.byteLength(body.value);
  return body.case === "bytes" ? body.value.length : 0;
}

function encodedBytes(payload: Payload): number {
  let bytes = 0;
  if (payload.contentType !== "") bytes += fieldBytes(Buffer.byteLength(payload.contentType));
  // A oneof's member is written even if it is empty.
  if (payload.body.case !== undefined) bytes += fieldBytes(bodyBytes(payload));
  for (const key in payload.metadata) bytes += fieldBytes(entryBytes(key, payload.metadata[key] ?? ""));
  return bytes;
}

function entryBytes(key: string, value: string): number {
  return fieldBytes(Buffer.byteLength(key)) + fieldBytes(Buffer.byteLength(value));
}

/** A field with a one-byte tag and a length. */
function fieldBytes(length: number): number {
  return 1 + varintBytes(length) + length;
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes += 1;
  return bytes;
}

function writePayload(payload: Payload, buffer: Buffer, start: number): void {
  let at = start;
  if (payload.contentType !== "") at = writeText(payloadTags.contentType, payload.contentType, buffer, at);
  const { body } = payload;
  if (body.case === "text") at = writeText(payloadTags.text, body.value, buffer, at);
  if (body.case === "bytes") {
    buffer[at] = payloadTags.bytes;
    at = writeVarint(body.value.length, buffer, at + 1);
    buffer.set(body.value, at);
    at += body.value.length;
  }
  for (const key in payload.metadata) {
    const value = payload.metadata[key] ?? "";
    buffer[at] = payloadTags.metadata;
    at = writeVarint(entryBytes(key, value), buffer, at + 1);
    at = writeText(metadataTags.key, key, buffer, at);
    at = writeText(metadataTags.value, value, buffer, at);
  }
}

function writeText(tag: number, text: string, buffer: Buffer, start: number): number {
  buffer[start] = tag;
  const at = writeVarint(Buffer.byteLength(text), buffer, start + 1);
  return at + buffer.write(text, at);
}

function writeVarint(value: number, buffer: Buffer, start: number): number {
  let at = start;
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) buffer[at++] = (rest & 0x7f) | 0x80;
  buffer[at++] = rest;
  return at;
}
