import { create } from "@bufbuild/protobuf";
import { TaskQueueConfigSchema, TaskQueueRefSchema } from "@tq/proto";
import { Command } from "commander";
import { type KindFlag, kindOption } from "../arguments/kind.ts";
import { ExitCode } from "../exit-codes.ts";
import { messageJson } from "../output/message-json.ts";
import { kindNumber } from "../output/names.ts";
import { configLines } from "../output/queue-config.ts";
import type { Invoke, Session } from "../session.ts";

/** What `tq queue config get` was told. */
export interface QueueConfigGetOptions extends KindFlag {
  readonly queue: string;
}

/** `tq queue config get`. */
export function queueConfigGetCommand(invoke: Invoke): Command {
  const command = new Command("get")
    .summary("tell what is set on a queue")
    .description("Tell what is set on a queue. What is not told has its default, or what workers ask for.")
    .argument("<QUEUE>", "name of the queue")
    .addOption(kindOption("only this kind (default: both kinds of the name)"));
  return command.action((queue: string, flags: KindFlag) => invoke(command, runQueueConfigGet, { queue, ...flags }));
}

async function runQueueConfigGet({ queue, kind }: QueueConfigGetOptions, session: Session): Promise<ExitCode> {
  const { client, globals, output, signal } = session;
  const request = { namespace: globals.namespace, taskQueue: { name: queue, kind: kindNumber(kind) } };
  const { taskQueues } = await client.services.operator.describeTaskQueue(request, { signal });
  const configs = taskQueues.map(({ taskQueue, config }) => ({
    taskQueue: taskQueue ?? create(TaskQueueRefSchema),
    config: config ?? create(TaskQueueConfigSchema),
  }));
  if (output.format === "json") {
    output.json({
      taskQueues: configs.map(({ taskQueue, config }) => ({
        taskQueue: messageJson(TaskQueueRefSchema, taskQueue),
        config: messageJson(TaskQueueConfigSchema, config),
      })),
    });
  } else {
    const parts = configs.map(({ taskQueue, config }) => configLines(taskQueue, config, output));
    output.lines(parts.flatMap((lines, index) => (index === 0 ? lines : ["", ...lines])));
  }
  return ExitCode.ok;
}
