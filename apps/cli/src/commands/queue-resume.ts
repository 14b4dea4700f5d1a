import { ResumeTaskQueueResponseSchema } from "@tq/proto";
import { Command } from "commander";
import { addActionOptions } from "../arguments/action.ts";
import { kindOption } from "../arguments/kind.ts";
import { type OneQueueFlags, type OneQueueOptions, oneQueueRequestOf } from "../arguments/one-queue.ts";
import { ExitCode } from "../exit-codes.ts";
import { messageJson } from "../output/message-json.ts";
import { queueText } from "../output/names.ts";
import type { Invoke, Session } from "../session.ts";

/** `tq queue resume`. */
export function queueResumeCommand(invoke: Invoke): Command {
  const command = new Command("resume")
    .summary("undo a pause or a drain of a queue")
    .description("Undo a pause and a drain of a queue: it dispatches and takes adds.")
    .argument("<QUEUE>", "name of the queue")
    .addOption(kindOption("only this kind (default: both kinds of the name)"));
  addActionOptions(command);
  return command.action((queue: string, flags: OneQueueFlags) => invoke(command, runQueueResume, { queue, ...flags }));
}

async function runQueueResume(options: OneQueueOptions, session: Session): Promise<ExitCode> {
  const { queue, kind } = options;
  const { client, output, signal } = session;
  const response = await client.services.operator.resumeTaskQueue(oneQueueRequestOf(options, session), { signal });
  const { wasPaused, wasDraining } = response;
  const undone = [wasPaused ? "paused" : "", wasDraining ? "draining" : ""].filter((part) => part !== "");
  if (output.format === "json") output.json(messageJson(ResumeTaskQueueResponseSchema, response));
  else if (undone.length > 0) output.lines([`${queueText(queue, kind)} was ${undone.join(" and ")}, and goes on`]);
  if (undone.length === 0) output.message(`${queueText(queue, kind)} was neither paused nor draining.`);
  return ExitCode.ok;
}
