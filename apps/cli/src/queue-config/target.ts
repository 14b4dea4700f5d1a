import { type Command, Option } from "commander";
import { onlyArgument } from "../arguments/text.ts";

/** What a change of a queue's configuration is about. */
export type ConfigTarget =
  | { readonly of: "queue" }
  /** One fairness key; the empty one is that of tasks without a key. */
  | { readonly of: "key"; readonly key: string }
  /** Every fairness key that has no configuration of its own. */
  | { readonly of: "default-key" };

/** The options that say so. */
export interface TargetFlags {
  readonly key?: string;
  readonly defaultKey?: true;
}

/** Gives a command the options that pick a fairness key instead of the queue. */
export function addTargetOptions(command: Command): Command {
  return command
    .addOption(new Option("--key <key>", "of this fairness key, instead of the queue").argParser(onlyArgument))
    .addOption(new Option("--default-key", "of each fairness key that has none of its own").conflicts("key"));
}

/** What a command was told to be about. */
export function targetOf({ key, defaultKey }: TargetFlags): ConfigTarget {
  if (key !== undefined) return { of: "key", key };
  return { of: defaultKey === true ? "default-key" : "queue" };
}
