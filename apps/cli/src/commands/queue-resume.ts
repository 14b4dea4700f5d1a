import { ResumeTaskQueueResponseSchema } from "@tq/proto";
import { Command } from "commander";
import { type ActionFlags, actionOf, addActionOptions } from "../arguments/action.ts";
import { type KindFlag, kindOption } from "../arguments/kind.ts";
import { ExitCode } from "../exit-codes.ts";
import { messageJson } from "../output/message-json.ts";
import { kindNumber, queueText } from "../output/names.ts";
import type { Invoke, Session } from "../session.ts";

interface QueueResumeFlags extends KindFlag, ActionFlags {}

/** What `tq queue resume` was told. */
export interface QueueResumeOptions extends QueueResumeFlags {
  readonly queue: string;
}

/** `tq queue resume`. */
export function queueResumeCommand(invoke: Invoke): Command {
  const command = new Command("resume")
    .summary("undo a pause or a drain of a queue")
    .description("Undo a pause and a drain of a queue: it dispatches and takes adds.")
    .argument("<QUEUE>", "name of the queue")
    .addOption(kindOption("only this kind (default: both kinds of the name)"));
  addActionOptions(command);
  return command.action((queue: string, flags: QueueResumeFlags) =>
    invoke(command, runQueueResume, { queue, ...flags }),
  );
}

async function runQueueResume(options: QueueResumeOptions, session: Session): Promise<ExitCode> {
  const { queue, kind } = options;
  const { client, globals, output, signal } = session;
  const request = {
    namespace: globals.namespace,
    action: actionOf(options, session),
    taskQueue: { name: queue, kind: kindNumber(kind) },
  };
  const response = await client.services.operator.resumeTaskQueue(request, { signal });
  const { wasPaused, wasDraining } = response;
  const undone = [wasPaused ? "paused" : "", wasDraining ? "draining" : ""].filter((part) => part !== "");
  if (output.format === "json") output.json(messageJson(ResumeTaskQueueResponseSchema, response));
  else if (undone.length > 0) output.lines([`${queueText(queue, kind)} was ${undone.join(" and ")}, and goes on`]);
  if (undone.length === 0) output.message(`${queueText(queue, kind)} was neither paused nor draining.`);
  return ExitCode.ok;
}
