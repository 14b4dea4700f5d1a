import { Command } from "commander";
import { actionOf } from "../arguments/action.ts";
import {
  addBulkOptions,
  type BulkChoice,
  bulkChoiceOf,
  type BulkFlags,
  bulkHelp,
  bulkOptionsOf,
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
  const { client, globals } = session;
  const request = {
    namespace: globals.namespace,
    action: actionOf(choice, session),
    bulk: bulkOptionsOf(choice),
  };
  const answers = answersInTime((call) => client.services.operator.redriveTasks(request, call), session);
  return reportBulk(answers, words, choice, session);
}
