import type { Command } from "commander";
import { integerArgument } from "../arguments/number.ts";

/** The revision that a change insists on. */
export interface RevisionFlag {
  readonly revision?: number;
}

/** Gives a command the option that refuses a change where somebody else has made one. */
export function addRevisionOption(command: Command): Command {
  return command.option(
    "--revision <n>",
    "only if the configuration is at this revision (default: whatever it is)",
    integerArgument({ min: 0, max: Number.MAX_SAFE_INTEGER }),
  );
}
