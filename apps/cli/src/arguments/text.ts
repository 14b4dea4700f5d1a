import { InvalidArgumentError } from "commander";

/**
 * Text that is not empty. An empty one is a shell variable that is not set, and as a filter it would match everything: a
 * purge of what was meant to be one queue would be one of all.
 */
export function filledArgument(text: string): string {
  if (text !== "") return text;
  throw new InvalidArgumentError("It must not be empty.");
}

/** {@link filledArgument}, but given once: a second one would silently take the first one's place. */
export function onlyFilledArgument(text: string, previous: string | undefined): string {
  return onlyArgument(filledArgument(text), previous);
}

/** Text, which may be empty, but is given once. */
export function onlyArgument(text: string, previous: string | undefined): string {
  if (previous === undefined) return text;
  throw new InvalidArgumentError("Give it once.");
}
