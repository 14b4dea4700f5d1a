import { DescribeTaskQueueResponseSchema } from "@tq/proto";
import { Command } from "commander";
import { kindOption } from "../arguments/kind.ts";
import { ExitCode } from "../exit-codes.ts";
import { messageJson } from "../output/message-json.ts";
import { kindNumber } from "../output/names.ts";
import { queueDescriptionLines } from "../output/queue-description.ts";
import type { Invoke, Session } from "../session.ts";

/** What `tq queue describe` was told. */
export interface QueueDescribeOptions {
  readonly queue: string;
  /** Unset: both. */
  readonly kind?: "activity" | "workflow";
}

/** `tq queue describe`. */
export function queueDescribeCommand(invoke: Invoke): Command {
  const command = new Command("describe")
    .summary("tell all about a queue")
    .description("Tell all about a queue: its tasks, why they wait, its workers, its configuration.")
    .argument("<QUEUE>", "name of the queue")
    .addOption(kindOption("only this kind (default: both kinds of the name)"));
  return command.action((queue: string, options: Pick<QueueDescribeOptions, "kind">) =>
    invoke(command, runQueueDescribe, { queue, ...options }),
  );
}

async function runQueueDescribe({ queue, kind }: QueueDescribeOptions, session: Session): Promise<ExitCode> {
  const { client, globals, output, signal } = session;
  const request = { namespace: globals.namespace, taskQueue: { name: queue, kind: kindNumber(kind) } };
  const response = await client.services.operator.describeTaskQueue(request, { signal });
  if (output.format === "json") {
    output.json(messageJson(DescribeTaskQueueResponseSchema, response));
  } else {
    const nowMs = session.now();
    const parts = response.taskQueues.map((description) => queueDescriptionLines(description, { output, nowMs }));
    output.lines(parts.flatMap((lines, index) => (index === 0 ? lines : ["", ...lines])));
  }
  return ExitCode.ok;
}
