import { type TaskQueueRef, TaskQueueRefSchema } from "@tq/proto";
import { Command } from "commander";
import { type ActionFlags, actionOf, addActionOptions } from "../arguments/action.ts";
import { addYesOption, type YesFlag } from "../arguments/bulk.ts";
import { type KindFlag, kindOption } from "../arguments/kind.ts";
import { type BulkCounts, bulkCounts, countsJson } from "../bulk-progress.ts";
import { ExitCode } from "../exit-codes.ts";
import { messageJson } from "../output/message-json.ts";
import { queueName, queueRef } from "../output/names.ts";
import { answersInTime } from "../server-stream.ts";
import type { Invoke, Session } from "../session.ts";

interface QueueRmFlags extends KindFlag, ActionFlags, YesFlag {
  readonly purge?: true;
  readonly silent?: true;
}

/** What `tq queue rm` was told. */
export interface QueueRmOptions extends QueueRmFlags {
  readonly queue: string;
}

/** `tq queue rm`. */
export function queueRmCommand(invoke: Invoke): Command {
  const command = new Command("rm")
    .summary("remove a queue with what is set on it")
    .description(
      "Remove a queue with what is set on it, its pause and its drain. Refused while it has open or dead tasks or live " +
        "workers, unless it is purged. An add or a poll makes a queue of that name anew.",
    )
    .argument("<QUEUE>", "name of the queue")
    .addOption(kindOption("only this kind (default: both kinds of the name)"))
    .option("--purge", "close its open tasks as canceled, and remove its closed ones; needs --yes")
    .option("--silent", "with --purge: without the tasks that those have added on close");
  addActionOptions(addYesOption(command));
  return command.action((queue: string, flags: QueueRmFlags) => {
    if (flags.silent === true && flags.purge !== true) command.error("error: option '--silent' needs --purge");
    if (flags.purge === true && flags.yes !== true) {
      command.error("error: option '--purge' destroys the queue's tasks: give --yes if that is meant");
    }
    return invoke(command, runQueueRm, { queue, ...flags });
  });
}

async function runQueueRm(options: QueueRmOptions, session: Session): Promise<ExitCode> {
  const { queue, kind } = options;
  const { output } = session;
  const removed: unknown[] = [];
  // A call removes a queue of one kind. Of each it is told as it goes: the next one may be refused.
  for (const each of kind === undefined ? (["activity", "workflow"] as const) : [kind]) {
    const ref = queueRef(queue, each);
    const counts = await remove(ref, options, session);
    if (output.format === "json") {
      const { examined, changed, skipped } = countsJson(counts, false);
      removed.push({ taskQueue: messageJson(TaskQueueRefSchema, ref), examined, changed, skipped });
    } else {
      const tasks = counts.changed === 1n ? "1 task" : `${counts.changed} tasks`;
      output.lines([`${queueName(ref)} is removed${counts.changed === 0n ? "" : `, and ${tasks} with it`}`]);
    }
  }
  if (output.format === "json") output.json({ taskQueues: removed });
  return ExitCode.ok;
}

async function remove(taskQueue: TaskQueueRef, options: QueueRmOptions, session: Session): Promise<BulkCounts> {
  const { client, globals } = session;
  const request = {
    namespace: globals.namespace,
    action: actionOf(options, session),
    taskQueue,
    purge: options.purge === true,
    silent: options.silent === true,
  };
  const answers = answersInTime((call) => client.services.operator.deleteTaskQueue(request, call), session);
  return bulkCounts(answers, { done: "closed or removed" }, session);
}
