import type { Duration, Timestamp } from "@bufbuild/protobuf/wkt";
import type { Violations } from "../validation/violations.ts";

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

/** What a timestamp may name, as protobuf has it: the years 1 to 9999. */
const earliestSeconds = -62_135_596_800n;
const latestSeconds = 253_402_300_799n;

/** The moment that a message names, in ms since the epoch. Undefined where it is unset. */
export function readMoment(
  timestamp: Timestamp | undefined,
  field: string,
  violations: Violations,
): number | undefined {
  if (timestamp === undefined) return undefined;
  const { seconds, nanos } = timestamp;
  if (seconds < earliestSeconds || seconds > latestSeconds || nanos < 0 || nanos > 999_999_999) {
    violations.add("INVALID_FIELD", field, "must be a moment of the years 1 to 9999");
  }
  return Number(seconds) * 1_000 + nanos / 1_000_000;
}
