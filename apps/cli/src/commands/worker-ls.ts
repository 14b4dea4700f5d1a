import { create } from "@bufbuild/protobuf";
import { ListWorkersResponseSchema, type WorkerDescription } from "@tq/proto";
import { Command } from "commander";
import { type KindFlag, kindOption, refuseKindWithoutQueue } from "../arguments/kind.ts";
import { filledArgument } from "../arguments/text.ts";
import { ExitCode } from "../exit-codes.ts";
import { ago } from "../output/age.ts";
import { messageJson } from "../output/message-json.ts";
import { queueName, queueRef } from "../output/names.ts";
import type { Cell, Column } from "../output/table.ts";
import { slotsText } from "../output/worker-slots.ts";
import type { Invoke, Session } from "../session.ts";

/** What `tq worker ls` was told. */
export interface WorkerLsOptions extends KindFlag {
  readonly queue?: string;
}

/** `tq worker ls`. */
export function workerLsCommand(invoke: Invoke): Command {
  const command = new Command("ls")
    .summary("list workers")
    .description("List live workers, and those that are gone and still hold tasks.")
    .option("--queue <name>", "only those of this queue", filledArgument)
    .addOption(kindOption("of this kind (with --queue)"));
  return command.action((options: WorkerLsOptions) => {
    refuseKindWithoutQueue(command, options);
    return invoke(command, runWorkerLs, options);
  });
}

async function runWorkerLs(options: WorkerLsOptions, session: Session): Promise<ExitCode> {
  const { output } = session;
  const workers = await allWorkers(options, session);
  if (output.format === "json") {
    const { workers: listed } = messageJson(ListWorkersResponseSchema, create(ListWorkersResponseSchema, { workers }));
    output.json({ workers: listed });
  } else if (workers.length > 0) {
    const rows = workers.map((worker) => row(worker, session.now()));
    output.lines(output.tableLines(columns, rows));
  } else {
    output.message(
      options.queue === undefined ? "No live workers, and none that still holds tasks." : "No worker of that queue.",
    );
  }
  return ExitCode.ok;
}

async function allWorkers({ queue, kind }: WorkerLsOptions, session: Session): Promise<WorkerDescription[]> {
  const { client, globals, signal } = session;
  const workers: WorkerDescription[] = [];
  let pageToken = "";
  do {
    const request = {
      namespace: globals.namespace,
      ...(queue !== undefined && { taskQueue: queueRef(queue, kind) }),
      pageSize: 1_000,
      pageToken,
    };
    const page = await client.services.operator.listWorkers(request, { signal });
    workers.push(...page.workers);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return workers;
}

const columns: readonly Column[] = [
  { title: "WORKER" },
  { title: "IDENTITY" },
  { title: "BUILD" },
  { title: "STARTED", align: "right" },
  { title: "SLOTS USED" },
  { title: "LAST SEEN" },
  { title: "NOTE" },
  { title: "QUEUES" },
];

function row(worker: WorkerDescription, nowMs: number): Cell[] {
  const { workerId, identity, buildId, started, status, lastSeen, live, draining, taskQueues } = worker;
  const notes = [...(live ? [] : ["gone"]), ...(draining ? ["draining"] : [])];
  return [
    workerId,
    identity,
    buildId,
    started,
    status && slotsText(status),
    ago(lastSeen, nowMs),
    notes.length === 0 ? undefined : { text: notes.join(", "), tone: live ? "warning" : "bad" },
    taskQueues.map(queueName).join(", "),
  ];
}
