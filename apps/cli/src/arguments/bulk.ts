import type { MessageInitShape } from "@bufbuild/protobuf";
import type { BulkOptionsSchema, TaskFilter } from "@tq/proto";
import type { Command } from "commander";
import type { Session } from "../session.ts";
import { type ActionFlags, actionOf, addActionOptions } from "./action.ts";
import { integerArgument } from "./number.ts";
import { addTaskFilterOptions, filterHelp, isEmptyFilter, type TaskFilterFlags, taskFilterOf } from "./task-filter.ts";

/** What the commands that change many tasks have in common. */
export interface BulkFlags extends TaskFilterFlags, ActionFlags {
  readonly everything?: true;
  readonly dryRun?: true;
  readonly limit?: number;
}

/** What such a command was told. */
export interface BulkChoice extends ActionFlags {
  readonly filter: TaskFilter;
  readonly dryRun: boolean;
  /** Most tasks to change; 0 is all of them. */
  readonly limit: number;
}

/** What the help says of such a command, after what it does. */
export const bulkHelp =
  "Name the tasks by their ids, or pick them by filters; the server goes through them a chunk at a time, in order of " +
  `adding, and leaves alone what is added meanwhile. ${filterHelp}`;

/** Gives a command ids and filters, and the options that say how far it goes. */
export function addBulkOptions(command: Command, now: () => number): Command {
  addTaskFilterOptions(command.argument("[ID...]", "ids of tasks"), now)
    .option("--everything", "every task of the namespace: instead of ids and filters")
    .option("--dry-run", "only count what would be done")
    .option(
      "--limit <n>",
      "stop after so many (default: all of them)",
      integerArgument({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    );
  return addActionOptions(command);
}

/** What `command` was told. Refuses to mean every task unless it was told so in so many words. */
export function bulkChoiceOf(command: Command, ids: readonly string[], flags: BulkFlags): BulkChoice {
  if (ids.includes("")) command.error("error: an id is empty");
  const filter = taskFilterOf(command, flags, ids);
  const everything = flags.everything === true;
  if (isEmptyFilter(filter) && !everything) {
    command.error("error: which tasks? Give ids or filters, or --everything for every task of the namespace");
  }
  if (!isEmptyFilter(filter) && everything) {
    command.error("error: option '--everything' goes without ids and filters");
  }
  filter.everything = everything;
  const { reason, actor } = flags;
  return {
    filter,
    dryRun: flags.dryRun === true,
    limit: flags.limit ?? 0,
    ...(reason !== undefined && { reason }),
    ...(actor !== undefined && { actor }),
  };
}

/** What the requests of all bulk calls have in common. */
export interface BulkRequest {
  readonly namespace: string;
  readonly action: ReturnType<typeof actionOf>;
  readonly bulk: MessageInitShape<typeof BulkOptionsSchema>;
}

/** The contract's request of it. Each call of this makes a new one. */
export function bulkRequestOf(choice: BulkChoice, session: Session): BulkRequest {
  const { filter, dryRun, limit } = choice;
  const { namespace } = session.globals;
  return { namespace, action: actionOf(choice, session), bulk: { filter, dryRun, limit: BigInt(limit) } };
}

/** The option without which nothing is destroyed. */
export interface YesFlag {
  readonly yes?: true;
}

/** Gives a command that destroys something the option that says this is meant. */
export function addYesOption(command: Command): Command {
  return command.option("--yes", "yes, destroy them: without it nothing is done");
}
