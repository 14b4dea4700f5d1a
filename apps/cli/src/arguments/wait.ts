import { parseDuration } from "@tq/client";
import { Option } from "commander";
import { detachOptionalValue } from "./optional-value.ts";
import { durationArgument } from "./duration.ts";

/** The option `--wait [timeout]`, in milliseconds; after {@link detachWait}, infinity where it has no value. */
export function waitOption(description: string): Option {
  return new Option("--wait [timeout]", description).argParser((text: string): number =>
    text === "" ? Number.POSITIVE_INFINITY : durationArgument(text),
  );
}

/** The arguments, such that commander takes no queue or id for the timeout of `--wait`. */
export function detachWait(argv: readonly string[]): readonly string[] {
  return detachOptionalValue(
    argv,
    "--wait",
    (text) => /^[-\d.]/.test(text) && (/^[-\d.]+$/.test(text) || isDuration(text)),
  );
}

function isDuration(text: string): boolean {
  try {
    parseDuration(text, "wait");
    return true;
  } catch {
    return false;
  }
}
