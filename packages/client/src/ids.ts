import { randomFillSync } from "node:crypto";
import type { Clock } from "./clock.ts";

/** Makes an id that nobody else makes: of tasks, calls, polls and workers. At most 128 bytes. */
export type IdSource = () => string;

/** Random bytes are drawn in blocks of this size: drawing them for each id costs more than all the rest of an id. */
const poolBytes = 4096;
/** What an id takes of them, as hex digits. */
const digits = 16;

/** Room in `rand_a` for ids of one millisecond; a new one starts in its lower half, so at least 2,048 fit. */
const sequenceLimit = 0x1000;

/**
 * An {@link IdSource} of UUIDv7 (RFC 9562). Ids of one source sort in the order they were made, which keeps the server's
 * index on ids dense: they begin with the time in milliseconds, then a counter.
 */
export function createIdSource(clock: Clock, fillRandom: (bytes: Uint8Array) => void = randomFillSync): IdSource {
  const pool = Buffer.alloc(poolBytes);
  let random = "";
  let used = 0;
  let lastMs = -1;
  let time = "";
  let sequence = 0;

  const draw = (): void => {
    used += digits;
    if (used < random.length) return;
    fillRandom(pool);
    random = pool.toString("hex");
    used = 0;
  };
  const timeIs = (ms: number): void => {
    lastMs = ms;
    const text = ms.toString(16).padStart(12, "0");
    time = `${text.slice(0, 8)}-${text.slice(8)}-`;
  };

  return () => {
    draw();
    const nowMs = Math.max(0, Math.floor(clock.now()));
    if (nowMs > lastMs) {
      timeIs(nowMs);
      sequence = Number.parseInt(random.slice(used, used + 3), 16) & 0x7ff;
      draw();
    } else if (++sequence === sequenceLimit) {
      timeIs(lastMs + 1);
      sequence = 0;
    }
    // Pieces of up to 12 characters are copied; joining longer ones makes an object each, so the long ones come last.
    const variant = "89ab"[((pool[used / 2] ?? 0) >> 4) & 3] ?? "";
    const middle = `${sequenceText(sequence)}${variant}${random.slice(used + 1, used + 4)}-`;
    return time + middle + random.slice(used + 4, used + digits);
  };
}

/** Such as `70a3-`. */
function sequenceText(sequence: number): string {
  return (sequenceTexts[sequence] ??= `7${sequence.toString(16).padStart(3, "0")}-`);
}

const sequenceTexts: (string | undefined)[] = Array.from({ length: sequenceLimit });
