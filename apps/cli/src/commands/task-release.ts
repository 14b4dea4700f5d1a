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

const words: BulkWords = { done: "released", unfit: "not started" };

/** `tq task release`. */
export function taskReleaseCommand(invoke: Invoke, now: () => number): Command {
  const command = new Command("release")
    .summary("take started tasks from their workers")
    .description(
      "Take started tasks from their workers: they go back to their old places without using an attempt, and what the " +
        `workers answer is refused. ${bulkHelp}`,
    );
  addBulkOptions(command, now);
  return command.action((ids: readonly string[], flags: BulkFlags) =>
    invoke(command, runTaskRelease, bulkChoiceOf(command, ids, flags)),
  );
}

async function runTaskRelease(choice: BulkChoice, session: Session): Promise<ExitCode> {
  const { operator } = session.client.services;
  const request = bulkRequestOf(choice, session);
  const answers = answersInTime((call) => operator.releaseTasks(request, call), session);
  return reportBulk(answers, words, choice, session);
}
