import { ListTaskQueuesResponseSchema, type TaskQueueSummary, WaitReason } from "@tq/proto";
import { Command } from "commander";
import { create } from "@bufbuild/protobuf";
import { kindOption } from "../arguments/kind.ts";
import { ExitCode } from "../exit-codes.ts";
import { humanDurationOf } from "../output/age.ts";
import { messageJson } from "../output/message-json.ts";
import { kindName, kindNumber, reasonName } from "../output/names.ts";
import type { Cell, Column } from "../output/table.ts";
import type { Invoke, Session } from "../session.ts";

/** What `tq queue ls` was told. */
export interface QueueLsOptions {
  readonly prefix?: string;
  readonly kind?: "activity" | "workflow";
}

/** `tq queue ls`. */
export function queueLsCommand(invoke: Invoke): Command {
  const command = new Command("ls")
    .summary("list queues")
    .description("List the queues that have tasks, configuration or a live worker.")
    .addOption(kindOption("only queues of this kind"))
    .option("--prefix <text>", "only queues whose names begin so");
  return command.action((options: QueueLsOptions) => invoke(command, runQueueLs, options));
}

async function runQueueLs(options: QueueLsOptions, session: Session): Promise<ExitCode> {
  const { output } = session;
  const taskQueues = await allQueues(options, session);
  if (output.format === "json") {
    const { taskQueues: listed } = messageJson(
      ListTaskQueuesResponseSchema,
      create(ListTaskQueuesResponseSchema, { taskQueues }),
    );
    output.json({ taskQueues: listed });
  } else if (taskQueues.length > 0) {
    output.lines(output.tableLines(columns, taskQueues.map(row)));
  } else if (options.prefix === undefined && options.kind === undefined) {
    output.message(`No queues yet; add a task with: ${session.typed(`task add demo greet '"world"'`)}`);
  } else {
    output.message("No queue matches. A queue is listed while it has tasks, configuration or a live worker.");
  }
  return ExitCode.ok;
}

async function allQueues(options: QueueLsOptions, { client, globals, signal }: Session): Promise<TaskQueueSummary[]> {
  const taskQueues: TaskQueueSummary[] = [];
  let pageToken = "";
  do {
    const request = {
      namespace: globals.namespace,
      namePrefix: options.prefix ?? "",
      kind: kindNumber(options.kind),
      pageSize: 1_000,
      pageToken,
    };
    const page = await client.services.operator.listTaskQueues(request, { signal });
    taskQueues.push(...page.taskQueues);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return taskQueues;
}

const columns: readonly Column[] = [
  { title: "QUEUE" },
  { title: "KIND" },
  { title: "READY", align: "right" },
  { title: "SCHEDULED", align: "right" },
  { title: "STARTED", align: "right" },
  { title: "DEAD", align: "right" },
  { title: "OLDEST", align: "right" },
  { title: "WORKERS", align: "right" },
  { title: "WHY TASKS WAIT" },
];

function row(queue: TaskQueueSummary): readonly Cell[] {
  const { taskQueue, counts, liveWorkers } = queue;
  const dead = counts?.dead ?? 0n;
  return [
    taskQueue?.name,
    kindName(taskQueue?.kind),
    counts?.ready,
    counts?.scheduled,
    counts?.started,
    dead === 0n ? dead : { text: String(dead), tone: "bad" },
    humanDurationOf(queue.oldestReadyAge),
    liveWorkers,
    why(queue),
  ];
}

function why({ reason, paused, draining }: TaskQueueSummary): Cell {
  const parts = [
    // The reason says so itself, with more.
    ...(paused && reason?.reason !== WaitReason.PAUSED ? ["paused"] : []),
    ...(draining ? ["draining: refuses adds"] : []),
    ...(reason === undefined ? [] : [`${reasonName(reason.reason)}: ${reason.hint}`]),
  ];
  return parts.length === 0 ? undefined : { text: parts.join("; "), tone: "warning" };
}
