import { parseDuration, TqError } from "@tq/client";
import { InvalidArgumentError } from "commander";

/** Milliseconds of an argument such as `30s` or `5m`. */
export function durationArgument(text: string): number {
  try {
    return Math.round(parseDuration(text, "duration"));
  } catch (error) {
    throw new InvalidArgumentError(
      error instanceof TqError ? (error.fields[0]?.description ?? error.message) : "It is not a length of time.",
    );
  }
}

/** {@link durationArgument}, but at least a millisecond. */
export function positiveDurationArgument(text: string): number {
  const durationMs = durationArgument(text);
  if (durationMs < 1) throw new InvalidArgumentError("Give at least 1ms.");
  return durationMs;
}
