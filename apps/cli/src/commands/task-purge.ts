import { Command } from "commander";
import {
  addBulkOptions,
  addYesOption,
  type BulkChoice,
  bulkChoiceOf,
  type BulkFlags,
  bulkHelp,
  bulkRequestOf,
  type YesFlag,
} from "../arguments/bulk.ts";
import { type BulkWords, reportBulk } from "../bulk-progress.ts";
import type { ExitCode } from "../exit-codes.ts";
import { answersInTime } from "../server-stream.ts";
import type { Invoke, Session } from "../session.ts";

const words: BulkWords = { done: "purged", unfit: "not to be purged" };

interface TaskPurgeFlags extends BulkFlags, YesFlag {
  readonly silent?: true;
}

/** What `tq task purge` was told. */
export interface TaskPurgeOptions extends BulkChoice {
  /** Leaves out the tasks that those which are closed have added on close. */
  readonly silent: boolean;
}

/** `tq task purge`. */
export function taskPurgeCommand(invoke: Invoke, now: () => number): Command {
  const command = new Command("purge")
    .summary("cancel open tasks and remove closed ones")
    .description(
      "Close open tasks as canceled, started ones included, and remove closed ones. Needs --yes, unless it is a dry run. " +
        bulkHelp,
    )
    .option("--silent", "without the tasks that those which are closed have added on close");
  addYesOption(addBulkOptions(command, now));
  return command.action((ids: readonly string[], flags: TaskPurgeFlags) => {
    const choice = bulkChoiceOf(command, ids, flags);
    if (!choice.dryRun && flags.yes !== true) {
      command.error("error: this destroys tasks: give --yes if that is meant, or --dry-run to see how many");
    }
    const options: TaskPurgeOptions = { ...choice, silent: flags.silent === true };
    return invoke(command, runTaskPurge, options);
  });
}

async function runTaskPurge({ silent, ...choice }: TaskPurgeOptions, session: Session): Promise<ExitCode> {
  const { operator } = session.client.services;
  const request = { ...bulkRequestOf(choice, session), silent };
  const answers = answersInTime((call) => operator.purgeTasks(request, call), session);
  return reportBulk(answers, words, choice, session);
}
