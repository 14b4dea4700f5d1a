import { DrainTaskQueueResponseSchema } from "@tq/proto";
import { Command } from "commander";
import { type ActionFlags, actionOf, addActionOptions } from "../arguments/action.ts";
import { type KindFlag, kindOption } from "../arguments/kind.ts";
import { ExitCode } from "../exit-codes.ts";
import { messageJson } from "../output/message-json.ts";
import { kindNumber, queueText } from "../output/names.ts";
import { drainText } from "../output/steering.ts";
import type { Invoke, Session } from "../session.ts";

interface QueueDrainFlags extends KindFlag, ActionFlags {}

/** What `tq queue drain` was told. */
export interface QueueDrainOptions extends QueueDrainFlags {
  readonly queue: string;
}

/** `tq queue drain`. */
export function queueDrainCommand(invoke: Invoke): Command {
  const command = new Command("drain")
    .summary("let a queue refuse adds")
    .description("Let a queue refuse adds until `queue resume`. Dispatch goes on: what it has is worked off.")
    .argument("<QUEUE>", "name of the queue, which need not exist")
    .addOption(kindOption("only this kind (default: both kinds of the name)"));
  addActionOptions(command);
  return command.action((queue: string, flags: QueueDrainFlags) => invoke(command, runQueueDrain, { queue, ...flags }));
}

async function runQueueDrain(options: QueueDrainOptions, session: Session): Promise<ExitCode> {
  const { queue, kind } = options;
  const { client, globals, output, signal } = session;
  const request = {
    namespace: globals.namespace,
    action: actionOf(options, session),
    taskQueue: { name: queue, kind: kindNumber(kind) },
  };
  const response = await client.services.operator.drainTaskQueue(request, { signal });
  if (output.format === "json") {
    output.json(messageJson(DrainTaskQueueResponseSchema, response));
  } else {
    const { drain } = response;
    const since = drain === undefined ? "" : drainText(drain, session.now());
    output.lines([`${queueText(queue, kind)} refuses adds ${since}`.trimEnd()]);
  }
  return ExitCode.ok;
}
