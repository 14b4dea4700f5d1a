import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { TaskStateName } from "@tq/client";
import { type ListTasksResponse, type TaskFilter, TaskFilterSchema, TaskSchema, TaskState } from "@tq/proto";
import { Command } from "commander";
import { kindOption } from "../arguments/kind.ts";
import { listArgument, textArgument } from "../arguments/list.ts";
import { momentArgument } from "../arguments/moment.ts";
import { integerArgument } from "../arguments/number.ts";
import { stateNames, taskStateArgument } from "../arguments/task-state.ts";
import { ExitCode } from "../exit-codes.ts";
import { messageJson } from "../output/message-json.ts";
import { kindNumber } from "../output/names.ts";
import { taskColumns, taskRow } from "../output/task-row.ts";
import type { Invoke, Session } from "../session.ts";

interface TaskLsFlags {
  readonly queue?: string;
  readonly kind?: "activity" | "workflow";
  readonly state?: readonly TaskStateName[];
  readonly type?: readonly string[];
  readonly idPrefix?: string;
  readonly worker?: string;
  readonly buildId?: string;
  readonly priority?: readonly number[];
  readonly fairnessKey?: readonly string[];
  readonly serialKey?: readonly string[];
  readonly addedAfter?: Date;
  readonly addedBefore?: Date;
  readonly closedAfter?: Date;
  readonly closedBefore?: Date;
  readonly failureType?: string;
  readonly failureText?: string;
  readonly limit: number;
}

/** What `tq task ls` was told. */
export interface TaskLsOptions {
  readonly filter: TaskFilter;
  /** Most tasks to list; infinity is all of them. */
  readonly limit: number;
}

/** `tq task ls`. */
export function taskLsCommand(invoke: Invoke, now: () => number): Command {
  const moment = momentArgument(now);
  const command = new Command("ls")
    .summary("list tasks, in order of adding")
    .description(
      "List tasks, in order of adding. All filters that are given must hold; of one that is repeated, one value. " +
        "A time is ISO 8601, or a length of time that counts back from now.",
    )
    .option("--queue <name>", "of this queue")
    .addOption(kindOption("of this kind (with --queue)"))
    .option("--state <state>", `${stateNames.join(", ")}; may be repeated`, taskStateArgument)
    .option("--type <type>", "of this type; may be repeated", listArgument(textArgument))
    .option("--id-prefix <text>", "whose id begins so")
    .option("--worker <id>", "held by this worker")
    .option("--build-id <id>", "held by a worker of this build")
    .option("--priority <1-5>", "of this priority; may be repeated", listArgument(integerArgument({ min: 1, max: 5 })))
    .option("--fairness-key <key>", "with this fairness key; may be repeated", listArgument(textArgument))
    .option("--serial-key <key>", "with this serial key; may be repeated", listArgument(textArgument))
    .option("--added-after <time>", "added after it", moment)
    .option("--added-before <time>", "added before it", moment)
    .option("--closed-after <time>", "closed after it", moment)
    .option("--closed-before <time>", "closed before it", moment)
    .option("--failure-type <type>", "whose last failure has this type")
    .option("--failure-text <text>", "whose last failure's message has this text in it")
    .option("--limit <n>", "at most so many; 0: all", integerArgument({ min: 0, max: Number.MAX_SAFE_INTEGER }), 100);
  return command.action((flags: TaskLsFlags) => {
    if (flags.kind !== undefined && flags.queue === undefined) {
      command.error("error: option '--kind <kind>' needs --queue: it picks one of the two queues under a name");
    }
    return invoke(command, runTaskLs, optionsOf(flags));
  });
}

function optionsOf(flags: TaskLsFlags): TaskLsOptions {
  const { addedAfter, addedBefore, closedAfter, closedBefore, limit, queue, kind } = flags;
  const filter = create(TaskFilterSchema, {
    ...(queue !== undefined && { taskQueue: { name: queue, kind: kindNumber(kind) } }),
    states: (flags.state ?? []).map((state) => TaskState[state]),
    types: [...(flags.type ?? [])],
    idPrefix: flags.idPrefix ?? "",
    workerId: flags.worker ?? "",
    buildId: flags.buildId ?? "",
    priorities: [...(flags.priority ?? [])],
    fairnessKeys: [...(flags.fairnessKey ?? [])],
    serialKeys: [...(flags.serialKey ?? [])],
    ...(addedAfter !== undefined && { addedAfter: timestampFromDate(addedAfter) }),
    ...(addedBefore !== undefined && { addedBefore: timestampFromDate(addedBefore) }),
    ...(closedAfter !== undefined && { closedAfter: timestampFromDate(closedAfter) }),
    ...(closedBefore !== undefined && { closedBefore: timestampFromDate(closedBefore) }),
    failureType: flags.failureType ?? "",
    failureText: flags.failureText ?? "",
    everything: Object.keys(flags).length === 1,
  });
  return { filter, limit: limit === 0 ? Number.POSITIVE_INFINITY : limit };
}

async function runTaskLs({ filter, limit }: TaskLsOptions, session: Session): Promise<ExitCode> {
  const { output } = session;
  const list = output.format === "json" ? jsonList(session) : tableList(session);
  let shown = 0;
  let pageToken = "";
  do {
    const page: ListTasksResponse = await listTasks(
      filter,
      { pageToken, pageSize: Math.min(limit - shown, 1_000) },
      session,
    );
    list.add(page);
    shown += page.tasks.length;
    pageToken = page.nextPageToken;
  } while (pageToken !== "" && shown < limit);
  list.end(pageToken !== "");
  if (pageToken !== "") output.message(`There may be more than these ${limit}: raise --limit, or narrow the filter.`);
  else if (shown === 0 && output.format === "table") output.message(emptyText(filter, session));
  return ExitCode.ok;
}

interface PageRequest {
  readonly pageToken: string;
  readonly pageSize: number;
}

async function listTasks(filter: TaskFilter, page: PageRequest, session: Session): Promise<ListTasksResponse> {
  const { client, globals, output, signal } = session;
  const request = {
    namespace: globals.namespace,
    filter,
    ...page,
    includePayloads: output.format === "json",
  };
  return client.services.tasks.listTasks(request, { signal });
}

function emptyText(filter: TaskFilter, session: Session): string {
  return filter.everything
    ? `No tasks yet; add one with: ${session.typed(`task add demo greet '"world"'`)}`
    : "No task matches. One that has closed is listed until its retention is over.";
}

/** Where pages go as they come, so that a list of any length takes little memory. */
interface TaskList {
  add(page: ListTasksResponse): void;
  end(isCut: boolean): void;
}

function tableList({ output, now }: Session): TaskList {
  const table = output.table(taskColumns);
  return {
    add: ({ tasks }) => {
      if (tasks.length > 0) output.lines(table.lines(tasks.map((task) => taskRow(task, now()))));
    },
    end: () => {},
  };
}

function jsonList({ output }: Session): TaskList {
  let lead = '{\n  "tasks": [';
  return {
    add: ({ tasks }) => {
      for (const task of tasks) {
        const text = JSON.stringify(messageJson(TaskSchema, task), undefined, 2).replaceAll("\n", "\n    ");
        output.text(`${lead}\n    ${text}`);
        lead = ",";
      }
    },
    end: (isCut) => {
      const close = lead === "," ? "\n  ]" : `${lead}]`;
      output.text(`${close},\n  "more": ${isCut}\n}\n`);
    },
  };
}
