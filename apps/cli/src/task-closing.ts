import { type Failure, type Task, TaskSchema, TaskState } from "@tq/proto";
import { ExitCode } from "./exit-codes.ts";
import { messageJson } from "./output/message-json.ts";
import { stateName } from "./output/names.ts";
import { payloadValue } from "./output/payload-value.ts";
import { printable } from "./output/printable.ts";
import type { Session } from "./session.ts";
import type { FoundTasks } from "./wait.ts";

/** Prints the result of a task that was waited for, or why there is none. */
export function reportClosing(id: string, { tasks }: FoundTasks, session: Session): ExitCode {
  const { output } = session;
  const [task] = tasks;
  if (task === undefined) {
    output.message(
      `Task ${printable(id)} is gone: it closed and was not kept. To see how such a task closed, add it with --retention 1m.`,
    );
    return ExitCode.failed;
  }
  if (output.format === "json") output.json(messageJson(TaskSchema, task));
  if (task.outcome?.state !== TaskState.COMPLETED) {
    output.message(whyNoResult(task, session));
    return ExitCode.failed;
  }
  const { result } = task.outcome;
  if (output.format === "table" && result !== undefined && result.body.case !== undefined) {
    output.json(payloadValue(result));
  }
  return ExitCode.ok;
}

/** Why a task has no result, in a sentence or two. */
export function whyNoResult(task: Task, session: Session): string {
  const { outcome, attempt, reasons } = task;
  const who = `Task ${printable(task.id)} (${printable(task.type)})`;
  const attempts = attempt === 1 ? "1 attempt" : `${attempt} attempts`;
  switch (outcome?.state) {
    case TaskState.FAILED:
      return `${who} failed after ${attempts}${failureText(outcome.failure)}`;
    case TaskState.TIMED_OUT:
      return `${who} timed out after ${attempts}${failureText(outcome.failure)}`;
    case TaskState.CANCELED:
      return `${who} was canceled${failureText(outcome.failure)}`;
    case TaskState.COMPLETED:
    case TaskState.UNSPECIFIED:
    case TaskState.SCHEDULED:
    case TaskState.READY:
    case TaskState.STARTED:
    case undefined: {
      const hint = reasons[0]?.hint ?? "";
      const more = hint === "" ? "" : ` ${printable(hint)}`;
      return `${who} has not closed yet: it is ${stateName(task.state)}.${more} Look again with: ${session.typed(`task get ${printable(task.id)}`)}`;
    }
  }
}

function failureText(failure: Failure | undefined): string {
  if (failure === undefined) return ".";
  return `: ${printable([failure.type, failure.message].filter((part) => part !== "").join(": "))}`;
}
