import type { Duration, Timestamp } from "@bufbuild/protobuf/wkt";

/** A moment in ms since the epoch, as a message. */
export function toTimestamp(ms: number): Timestamp {
  const seconds = Math.floor(ms / 1_000);
  const nanos = Math.round((ms - seconds * 1_000) * 1_000_000);
  return { $typeName: "google.protobuf.Timestamp", seconds: BigInt(seconds), nanos };
}

/** A length of time in ms, at least 0, as a message. */
export function toDuration(ms: number): Duration {
  const seconds = Math.floor(ms / 1_000);
  const nanos = Math.round((ms - seconds * 1_000) * 1_000_000);
  return { $typeName: "google.protobuf.Duration", seconds: BigInt(seconds), nanos };
}

/** The moment that a message names, in ms since the epoch. */
export function fromTimestamp(timestamp: Timestamp): number {
  return Number(timestamp.seconds) * 1_000 + timestamp.nanos / 1_000_000;
}
