import { crc32 } from "node:zlib";

/**
 * The format of the log. After a first line that says what the file is, each line is a frame: the CRC-32 of what follows
 * it, and a JSON array of records. A frame is what was written and fsynced at once, so it is there as a whole or, if the
 * machine died first, not at all; and since nothing is written before the frame ahead of it is on disk, only the last one
 * can be torn.
 */
export const firstLine = "tq workflow log, version 1\n";

/** The log has a broken frame that is not the last one: something else than a crash has changed it. */
export class DamagedLogError extends Error {
  override readonly name = "DamagedLogError";
}

/** Records as one frame. */
export function encodeFrame(records: readonly unknown[]): string {
  const json = JSON.stringify(records);
  return `${checksum(json)} ${json}\n`;
}

/**
 * The records of a log, how many frames they came in, and how many of its bytes they take. What lies behind was being written as the machine died;
 * nobody has been told of it, and it can be cut off.
 *
 * @throws DamagedLogError
 */
export function decodeFrames(log: Buffer): {
  readonly records: unknown[];
  readonly frames: number;
  readonly bytes: number;
} {
  const head = log.subarray(0, firstLine.length).toString("latin1");
  if (!firstLine.startsWith(head)) throw new DamagedLogError(`it does not begin with "${firstLine.trim()}"`);
  if (head !== firstLine) return { records: [], frames: 0, bytes: 0 };

  const records: unknown[] = [];
  let frames = 0;
  let bytes = firstLine.length;
  for (let end = log.indexOf("\n", bytes); end !== -1; end = log.indexOf("\n", bytes)) {
    const frame = decodeFrame(log.toString("utf8", bytes, end));
    if (frame === undefined) {
      if (end + 1 === log.length) break;
      throw new DamagedLogError(`the frame at byte ${bytes} is broken, and there are others behind it`);
    }
    for (const record of frame) records.push(record);
    frames++;
    bytes = end + 1;
  }
  return { records, frames, bytes };
}

function decodeFrame(line: string): readonly unknown[] | undefined {
  const json = line.slice(9);
  if (line.slice(0, 9) !== `${checksum(json)} `) return undefined;
  return JSON.parse(json) as readonly unknown[];
}

function checksum(text: string): string {
  return crc32(text).toString(16).padStart(8, "0");
}
