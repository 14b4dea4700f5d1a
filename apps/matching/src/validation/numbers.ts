import type { Duration } from "@bufbuild/protobuf/wkt";
import { defaultPriority, defaultWeight, weightBounds, type Priority } from "@tq/matching-core";
import { bounds } from "./bounds.ts";
import type { Violations } from "./violations.ts";

/** The range of a duration, with the words that say so. */
export interface DurationRange {
  readonly minMs: number;
  readonly maxMs: number;
  readonly words: string;
}

/** What waits and timeouts take. */
export const upToTenYears: DurationRange = { minMs: 0, maxMs: bounds.longestMs, words: "0 to 10 years" };

/** A duration in whole milliseconds, rounded up, so that a short one does not become none. Undefined where it is unset. */
export function readDurationMs(
  duration: Duration | undefined,
  range: DurationRange,
  field: string,
  violations: Violations,
): number | undefined {
  if (duration === undefined) return undefined;
  const ms = msOf(Number(duration.seconds), duration.nanos);
  if (!isWithin(range, ms)) violations.add("INVALID_FIELD", field, `must be ${range.words}`);
  return ms;
}

/** What a duration comes to in whole milliseconds, rounded up. */
export function msOf(seconds: number, nanos: number): number {
  return seconds * 1_000 + Math.ceil(nanos / 1_000_000);
}

/** Whether a duration is one that the range takes. */
export function isWithin(range: DurationRange, ms: number): boolean {
  return ms >= range.minMs && ms <= range.maxMs;
}

/** A priority; 0 takes the default. */
export function readPriority(value: number, field: string, violations: Violations): Priority {
  if (isPriority(value)) return value;
  if (value !== 0) violations.add("INVALID_FIELD", field, "must be 1 (first) to 5, or 0 for the default, 3");
  return defaultPriority;
}

/** Whether a number is a priority that is said. */
export function isPriority(value: number): value is Priority {
  return value === 1 || value === 2 || value === 3 || value === 4 || value === 5;
}

/** A fairness weight; 0 takes the default. */
export function readWeight(value: number, field: string, violations: Violations): number {
  if (value === 0) return defaultWeight;
  return limitWeight(value, field, violations, ", or 0 for the default, 1");
}

/** A fairness weight that is said. */
export function limitWeight(value: number, field: string, violations: Violations, orElse = ""): number {
  if (!isWeight(value)) {
    violations.add("INVALID_FIELD", field, `must be ${weightBounds.min} to ${weightBounds.max}${orElse}`);
  }
  return value;
}

/** Whether a number is a fairness weight that is said. */
export function isWeight(value: number): boolean {
  return value >= weightBounds.min && value <= weightBounds.max;
}

/** A rate of dispatch, per second. */
export function limitRate(value: number, field: string, violations: Violations): number {
  if (!(value >= bounds.lowestRate && value <= bounds.highestRate)) {
    const range = "must be over 0: 0.000001 to 1,000,000,000 a second";
    violations.add("INVALID_FIELD", field, `${range}; leave it unset for no limit`);
  }
  return value;
}

/** A whole number from 1 that is said. */
export function limitNumber(value: number, field: string, hint: string, violations: Violations): number {
  if (!(value >= 1 && value <= Number.MAX_SAFE_INTEGER)) {
    violations.add("INVALID_FIELD", field, `must be at least 1${hint}; leave it unset for no limit`);
  }
  return value;
}

/** A revision that the caller has read; 0 for any. */
export function readRevision(value: bigint | undefined, field: string, violations: Violations): number | undefined {
  if (value === undefined) return undefined;
  if (value > BigInt(Number.MAX_SAFE_INTEGER))
    violations.add("INVALID_FIELD", field, "is no revision that was ever given");
  return Number(value);
}

/** A count; 0 takes the default. */
export function readCount(
  value: number,
  { max, byDefault }: { readonly max: number; readonly byDefault: number },
  field: string,
  violations: Violations,
): number {
  if (value > max) violations.add("INVALID_FIELD", field, `must be 1 to ${max}, or 0 for the default, ${byDefault}`);
  return value === 0 ? byDefault : value;
}

/** Whether a list is short enough. The items of one that is not are not looked at. */
export function limitItems(length: number, max: number, field: string, violations: Violations): boolean {
  if (length <= max) return true;
  violations.add("TOO_MANY_ITEMS", field, `has ${length} items and may have ${max}; split it over several calls`);
  return false;
}
