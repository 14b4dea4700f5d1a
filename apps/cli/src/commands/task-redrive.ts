import { Command } from "commander";
import {
  addBulkOptions,
  type BulkChoice,
  bulkChoiceOf,
  type BulkFlags,
  bulkHelp,
  bulkRequestOf,
} from "../arguments/bulk.ts";
import { type BulkWords, reportBulk } from "../bulk-progress.ts";
import type { ExitCode } from "../exit-codes.ts";
import { answersInTime } from "../server-stream.ts";
import type { Invoke, Session } from "../session.ts";

const words: BulkWords = { done: "redriven", unfit: "not dead" };

/** `tq task redrive`. */
export function taskRedriveCommand(invoke: Invoke, now: () => number): Command {
  const command = new Command("redrive")
    .summary("open dead tasks again")
    .description(
      "Open dead tasks (failed or timed out) again: same id, next run, attempts and timeouts anew, at the tail of their " +
        `queue. ${bulkHelp}`,
    );
  addBulkOptions(command, now);
  return command.action((ids: readonly string[], flags: BulkFlags) =>
    invoke(command, runTaskRedrive, bulkChoiceOf(command, ids, flags)),
  );
}

async function runTaskRedrive(choice: BulkChoice, session: Session): Promise<ExitCode> {
  const { operator } = session.client.services;
  const request = bulkRequestOf(choice, session);
  const answers = answersInTime((call) => operator.redriveTasks(request, call), session);
  return reportBulk(answers, words, choice, session);
}
