/*
 * A task token: version, shard, seq and lease number as varints, then two check bytes. It is opaque to clients, not
 * secret: whoever may call the server may answer any task. The check tells garbage and cut-off tokens from stale ones;
 * staleness is found by the store, which knows the current lease number.
 */
import type { LeaseRef } from "@tq/matching-core";
import type { WireWriter } from "@tq/proto/wire";

const version = 1;
/** SQLite has one shard. */
const onlyShard = 0;
const checkBytes = 2;
/** Version, shard, two numbers of up to 53 bits, check. */
const maxBytes = 1 + 5 + 8 + 8 + checkBytes;

/** A delivery, as a token. */
export function encodeTaskToken(lease: LeaseRef, shard = onlyShard): Uint8Array {
  const buffer = Buffer.allocUnsafe(maxBytes);
  return buffer.subarray(0, encode(lease, shard, buffer));
}

const scratch = new Uint8Array(maxBytes);

/** Writes a delivery's token as the field `tag`. */
export function writeTaskToken(writer: WireWriter, tag: number, lease: LeaseRef): void {
  writer.someBytes(tag, scratch, 0, encode(lease, onlyShard, scratch));
}

/** Answers where it ends. */
function encode(lease: LeaseRef, shard: number, buffer: Uint8Array): number {
  buffer[0] = version;
  let at = writeNumber(shard, buffer, 1);
  at = writeNumber(lease.seq, buffer, at);
  at = writeNumber(lease.leaseNo, buffer, at);
  const check = checkOf(buffer, at);
  buffer[at] = check & 0xff;
  buffer[at + 1] = check >>> 8;
  return at + checkBytes;
}

/**
 * The delivery that a token proves; undefined if this service did not make it. One of another shard was made by another
 * server's store, or over another one: its numbers mean nothing here.
 */
export function decodeTaskToken(token: Uint8Array, shard = onlyShard): LeaseRef | undefined {
  const end = token.length - checkBytes;
  if (end < 4 || token.length > maxBytes || token[0] !== version) return undefined;
  const check = checkOf(token, end);
  if (token[end] !== (check & 0xff) || token[end + 1] !== check >>> 8) return undefined;
  const seqFrom = endOfNumber(token, 1, end);
  const leaseNoFrom = endOfNumber(token, seqFrom, end);
  if (endOfNumber(token, leaseNoFrom, end) !== end || readNumber(token, 1, seqFrom) !== shard) return undefined;
  const seq = readNumber(token, seqFrom, leaseNoFrom);
  const leaseNo = readNumber(token, leaseNoFrom, end);
  return Number.isSafeInteger(seq) && Number.isSafeInteger(leaseNo) ? { seq, leaseNo } : undefined;
}

/** Where the number that begins at a place ends; beyond `end` if it does not end before. */
function endOfNumber(bytes: Uint8Array, from: number, end: number): number {
  let at = from;
  while (at < end && (bytes[at] ?? 0) >= 0x80) at++;
  return at + 1;
}

function readNumber(bytes: Uint8Array, from: number, to: number): number {
  let value = 0;
  for (let at = to - 1; at >= from; at--) value = value * 0x80 + ((bytes[at] ?? 0) & 0x7f);
  return value;
}

function writeNumber(value: number, buffer: Uint8Array, start: number): number {
  let at = start;
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) buffer[at++] = (rest % 0x80) | 0x80;
  buffer[at++] = rest;
  return at;
}

/** FNV-1a over the first `end` bytes, folded to 16 bits. */
function checkOf(bytes: Uint8Array, end: number): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < end; at++) hash = Math.imul(hash ^ (bytes[at] ?? 0), 0x01000193);
  return ((hash >>> 16) ^ hash) & 0xffff;
}
