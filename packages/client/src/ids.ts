import { randomFillSync } from "node:crypto";
import type { Clock } from "./clock.ts";

/** Makes an id that nobody else makes: of tasks, calls, polls and workers. At most 128 bytes. */
export type IdSource = () => string;

const hex = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** Random bytes are drawn in blocks of this size: drawing sixteen at a time costs more than all the rest of an id. */
const poolBytes = 4096;

/** Room in `rand_a` for ids of one millisecond; a new one starts in its lower half, so at least 2,048 fit. */
const sequenceLimit = 0x1000;

/**
 * An {@link IdSource} of UUIDv7 (RFC 9562). Ids of one source sort in the order they were made, which keeps the server's
 * index on ids dense: they begin with the time in milliseconds, then a counter.
 */
export function createIdSource(clock: Clock, fillRandom: (bytes: Uint8Array) => void = randomFillSync): IdSource {
  const pool = new Uint8Array(poolBytes);
  let used = poolBytes;
  let lastMs = -1;
  let sequence = 0;

  return () => {
    if (used + 10 > poolBytes) {
      fillRandom(pool);
      used = 0;
    }
    const random = (index: number): number => pool[used + index] ?? 0;
    const nowMs = Math.max(0, Math.floor(clock.now()));
    if (nowMs > lastMs) {
      lastMs = nowMs;
      sequence = ((random(0) << 8) | random(1)) & 0x7ff;
    } else if (++sequence === sequenceLimit) {
      lastMs += 1;
      sequence = 0;
    }
    const high = Math.floor(lastMs / 0x1_0000_0000);
    const low = lastMs >>> 0;
    const id =
      byte(high >>> 8) +
      byte(high) +
      byte(low >>> 24) +
      byte(low >>> 16) +
      "-" +
      byte(low >>> 8) +
      byte(low) +
      "-" +
      byte(0x70 | (sequence >>> 8)) +
      byte(sequence) +
      "-" +
      byte(0x80 | (random(2) & 0x3f)) +
      byte(random(3)) +
      "-" +
      byte(random(4)) +
      byte(random(5)) +
      byte(random(6)) +
      byte(random(7)) +
      byte(random(8)) +
      byte(random(9));
    used += 10;
    return id;
  };
}

function byte(value: number): string {
  return hex[value & 0xff] ?? "";
}
