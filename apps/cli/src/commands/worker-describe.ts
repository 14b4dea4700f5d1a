import { create } from "@bufbuild/protobuf";
import { DescribeWorkerResponseSchema, WorkerDescriptionSchema } from "@tq/proto";
import { Command } from "commander";
import { ExitCode } from "../exit-codes.ts";
import { messageJson } from "../output/message-json.ts";
import { workerDescriptionLines } from "../output/worker-description.ts";
import type { Invoke, Session } from "../session.ts";

/** What `tq worker describe` was told. */
export interface WorkerDescribeOptions {
  readonly id: string;
}

/** `tq worker describe`. */
export function workerDescribeCommand(invoke: Invoke): Command {
  const command = new Command("describe")
    .summary("tell all about a worker")
    .description("Tell all about a worker: its queues, what it has registered, the tasks that it holds.")
    .argument("<ID>", "id of the worker");
  return command.action((id: string) => invoke(command, runWorkerDescribe, { id }));
}

async function runWorkerDescribe({ id }: WorkerDescribeOptions, session: Session): Promise<ExitCode> {
  const { client, globals, output, signal } = session;
  const request = { namespace: globals.namespace, workerId: id };
  const response = await client.services.operator.describeWorker(request, { signal });
  if (output.format === "json") {
    output.json(messageJson(DescribeWorkerResponseSchema, response));
  } else {
    const worker = response.worker ?? create(WorkerDescriptionSchema);
    output.lines(workerDescriptionLines(worker, { output, nowMs: session.now() }));
  }
  return ExitCode.ok;
}
