import { TaskSchema, TaskState } from "@tq/proto";
import { Command } from "commander";
import { waitOption } from "../arguments/wait.ts";
import { ExitCode } from "../exit-codes.ts";
import { messageJson } from "../output/message-json.ts";
import { printable } from "../output/printable.ts";
import { taskDescriptionLines } from "../output/task-description.ts";
import type { Invoke, Session } from "../session.ts";
import { whyNoResult } from "../task-closing.ts";
import { type FoundTasks, waitForTasks } from "../wait.ts";

/** What `tq task get` was told. */
export interface TaskGetOptions {
  readonly ids: readonly string[];
  /** Milliseconds; infinity waits for as long as it takes. */
  readonly wait?: number;
}

/** `tq task get`. */
export function taskGetCommand(invoke: Invoke): Command {
  const command = new Command("get")
    .summary("tell all about tasks")
    .description(
      "Tell all about tasks: their state, input, outcome, and why they wait. Exits 1 if one is not known; with --wait, " +
        "if one did not complete. -o json prints the task itself if there is one id, else {tasks, missingIds}.",
    )
    .argument("<ID...>", "ids of tasks")
    .addOption(waitOption("wait until all have closed, or for so long at most"));
  return command.action((ids: readonly string[], options: Pick<TaskGetOptions, "wait">) =>
    invoke(command, runTaskGet, { ids, ...options }),
  );
}

async function runTaskGet({ ids, wait }: TaskGetOptions, session: Session): Promise<ExitCode> {
  const { output } = session;
  const found = await waitForTasks(ids, session, { waitMs: wait });
  if (output.format === "json") {
    printJson(ids, found, session);
  } else {
    const nowMs = session.now();
    const parts = found.tasks.map((task) => taskDescriptionLines(task, { output, nowMs }));
    output.lines(parts.flatMap((lines, index) => (index === 0 ? lines : ["", ...lines])));
  }
  for (const id of found.missingIds) {
    output.message(
      `No task ${printable(id)} in namespace ${printable(session.globals.namespace)}: ` +
        "it was never added, or it closed and its retention is over.",
    );
  }
  const incomplete =
    wait === undefined ? [] : found.tasks.filter(({ outcome }) => outcome?.state !== TaskState.COMPLETED);
  for (const task of incomplete) output.message(whyNoResult(task, session));
  return found.missingIds.length + incomplete.length === 0 ? ExitCode.ok : ExitCode.failed;
}

function printJson(ids: readonly string[], { tasks, missingIds }: FoundTasks, { output }: Session): void {
  const described = tasks.map((task) => messageJson(TaskSchema, task));
  if (ids.length > 1) output.json({ tasks: described, missingIds });
  else if (described[0] !== undefined) output.json(described[0]);
}
