import type { TaskStateName } from "@tq/client";
import { InvalidArgumentError } from "commander";

const states: Readonly<Record<string, readonly TaskStateName[]>> = {
  scheduled: ["SCHEDULED"],
  ready: ["READY"],
  started: ["STARTED"],
  completed: ["COMPLETED"],
  failed: ["FAILED"],
  timed_out: ["TIMED_OUT"],
  canceled: ["CANCELED"],
  open: ["SCHEDULED", "READY", "STARTED"],
  closed: ["COMPLETED", "FAILED", "TIMED_OUT", "CANCELED"],
  dead: ["FAILED", "TIMED_OUT"],
};

/** What `--state` takes. */
export const stateNames: readonly string[] = Object.keys(states);

/** Reads a state, or a group of them, into the states before it. */
export function taskStateArgument(
  text: string,
  previous: readonly TaskStateName[] | undefined,
): readonly TaskStateName[] {
  const name = text.toLowerCase().replaceAll("-", "_");
  const named = Object.hasOwn(states, name) ? states[name] : undefined;
  if (named === undefined) throw new InvalidArgumentError(`There are ${stateNames.join(", ")}.`);
  return [...new Set([...(previous ?? []), ...named])];
}
