import { create } from "@bufbuild/protobuf";
import { type ListTasksResponse, type Task, type TaskFilter, TaskFilterSchema, TaskSchema } from "@tq/proto";
import { Command } from "commander";
import { integerArgument } from "../arguments/number.ts";
import {
  addTaskFilterOptions,
  filterHelp,
  isEmptyFilter,
  type TaskFilterFlags,
  taskFilterOf,
} from "../arguments/task-filter.ts";
import { ExitCode } from "../exit-codes.ts";
import { messageJson } from "../output/message-json.ts";
import { printable } from "../output/printable.ts";
import { taskColumns, taskRow } from "../output/task-row.ts";
import type { Invoke, Session } from "../session.ts";

interface TaskLsFlags extends TaskFilterFlags {
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
  const command = new Command("ls")
    .summary("list tasks, in order of adding")
    .description(`List tasks, in order of adding. ${filterHelp}`);
  addTaskFilterOptions(command, now).option(
    "--limit <n>",
    "at most so many; 0: all",
    integerArgument({ min: 0, max: Number.MAX_SAFE_INTEGER }),
    100,
  );
  return command.action((flags: TaskLsFlags) => {
    const filter = taskFilterOf(command, flags);
    filter.everything = isEmptyFilter(filter);
    const limit = flags.limit === 0 ? Number.POSITIVE_INFINITY : flags.limit;
    return invoke(command, runTaskLs, { filter, limit } satisfies TaskLsOptions);
  });
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
    list.add(page.tasks);
    shown += page.tasks.length;
    if (page.omittedIds.length > 0) shown += await addOmitted(page.omittedIds, list, session);
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
  /** Default: only as JSON, which shows them. */
  readonly includePayloads?: boolean;
}

async function listTasks(filter: TaskFilter, page: PageRequest, session: Session): Promise<ListTasksResponse> {
  const { client, globals, output, signal } = session;
  const request = { namespace: globals.namespace, filter, includePayloads: output.format === "json", ...page };
  return client.services.tasks.listTasks(request, { signal });
}

/** Lists those of a page that are too large for an answer without their payloads; answers how many. */
async function addOmitted(ids: readonly string[], list: TaskList, session: Session): Promise<number> {
  const filter = create(TaskFilterSchema, { ids: [...ids] });
  const { tasks } = await listTasks(filter, { pageToken: "", pageSize: ids.length, includePayloads: false }, session);
  list.add(tasks);
  const shown = new Set(tasks.map(({ id }) => id));
  const named = (some: readonly string[]): string => some.map(printable).join(", ");
  if (tasks.length > 0) session.output.message(`Too large for an answer, so without payloads: ${named([...shown])}.`);
  const left = ids.filter((id) => !shown.has(id));
  if (left.length > 0) session.output.message(`Too large for an answer, so not listed: ${named(left)}.`);
  return tasks.length;
}

function emptyText(filter: TaskFilter, session: Session): string {
  return filter.everything
    ? `No tasks yet; add one with: ${session.typed(`task add demo greet '"world"'`)}`
    : "No task matches. One that has closed is listed until its retention is over.";
}

/** Where pages go as they come, so that a list of any length takes little memory. */
interface TaskList {
  add(tasks: readonly Task[]): void;
  end(isCut: boolean): void;
}

function tableList({ output, now }: Session): TaskList {
  const table = output.table(taskColumns);
  return {
    add: (tasks) => {
      if (tasks.length > 0) output.lines(table.lines(tasks.map((task) => taskRow(task, now()))));
    },
    end: () => {},
  };
}

function jsonList({ output }: Session): TaskList {
  let lead = '{\n  "tasks": [';
  return {
    add: (tasks) => {
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
