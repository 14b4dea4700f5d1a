import ms from "ms";
import { invalidField } from "./errors.ts";

type DurationUnit =
  | "ms"
  | "msec"
  | "msecs"
  | "millisecond"
  | "milliseconds"
  | "s"
  | "sec"
  | "secs"
  | "second"
  | "seconds"
  | "m"
  | "min"
  | "mins"
  | "minute"
  | "minutes"
  | "h"
  | "hr"
  | "hrs"
  | "hour"
  | "hours"
  | "d"
  | "day"
  | "days"
  | "w"
  | "week"
  | "weeks";

/** A length of time as text: `"500ms"`, `"30s"`, `"5 minutes"`, `"1.5h"`, `"7 days"`. */
export type DurationText = `${number}${DurationUnit}` | `${number} ${DurationUnit}`;

/** A length of time: a number of milliseconds, or text such as `"30s"`. Never negative. */
export type Duration = number | DurationText;

/** As long as a `google.protobuf.Duration` may be: 10,000 years. */
export const longestDurationMs = 315_576_000_000_000;

/**
 * The milliseconds of a {@link Duration}.
 *
 * @param field What the duration is called where it was given; an error names it.
 * @throws TqError `invalid_argument` if it is negative, not finite, or not a duration at all.
 */
export function durationToMs(duration: Duration, field: string): number {
  if (typeof duration === "string") return parseDuration(duration, field);
  if (!Number.isFinite(duration) || duration < 0) {
    throw invalidField(
      field,
      `${String(duration)} is not a length of time: give milliseconds, 0 or more, or text like "30s"`,
    );
  }
  return duration;
}

/**
 * The milliseconds of a duration that comes as any text, from a command line or a configuration file. Text without a
 * unit is refused: whether "30" means seconds or milliseconds should not be guessed.
 *
 * @throws TqError `invalid_argument` naming `field`.
 */
export function parseDuration(text: string, field: string): number {
  const durationMs = /[a-z]\s*$/i.test(text) ? ms(text.trim() as ms.StringValue) : undefined;
  // `ms` answers undefined for text it does not know, whatever its type says.
  if (durationMs === undefined || !Number.isFinite(durationMs) || durationMs < 0) {
    throw invalidField(
      field,
      `${JSON.stringify(text)} is not a length of time: write it like "500ms", "30s", "5 minutes" or "1.5h"`,
    );
  }
  return durationMs;
}
