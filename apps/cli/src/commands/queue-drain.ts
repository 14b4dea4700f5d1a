import { DrainTaskQueueResponseSchema } from "@tq/proto";
import { Command } from "commander";
import { addActionOptions } from "../arguments/action.ts";
import { kindOption } from "../arguments/kind.ts";
import { type OneQueueFlags, type OneQueueOptions, oneQueueRequestOf } from "../arguments/one-queue.ts";
import { ExitCode } from "../exit-codes.ts";
import { messageJson } from "../output/message-json.ts";
import { queueText } from "../output/names.ts";
import { drainText } from "../output/steering.ts";
import type { Invoke, Session } from "../session.ts";

/** `tq queue drain`. */
export function queueDrainCommand(invoke: Invoke): Command {
  const command = new Command("drain")
    .summary("let a queue refuse adds")
    .description("Let a queue refuse adds until `queue resume`. Dispatch goes on: what it has is worked off.")
    .argument("<QUEUE>", "name of the queue, which need not exist")
    .addOption(kindOption("only this kind (default: both kinds of the name)"));
  addActionOptions(command);
  return command.action((queue: string, flags: OneQueueFlags) => invoke(command, runQueueDrain, { queue, ...flags }));
}

async function runQueueDrain(options: OneQueueOptions, session: Session): Promise<ExitCode> {
  const { queue, kind } = options;
  const { client, output, signal } = session;
  const response = await client.services.operator.drainTaskQueue(oneQueueRequestOf(options, session), { signal });
  if (output.format === "json") {
    output.json(messageJson(DrainTaskQueueResponseSchema, response));
  } else {
    const { drain } = response;
    const since = drain === undefined ? "" : drainText(drain, session.now());
    output.lines([`${queueText(queue, kind)} refuses adds ${since}`.trimEnd()]);
  }
  return ExitCode.ok;
}
