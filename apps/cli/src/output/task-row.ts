import { type Task, TaskState } from "@tq/proto";
import { ago, ahead } from "./age.ts";
import { kindName, reasonName, stateName, stateTone } from "./names.ts";
import type { Cell, Column } from "./table.ts";

/** Columns of a list of tasks. */
export const taskColumns: readonly Column[] = [
  { title: "ID" },
  { title: "STATE" },
  { title: "QUEUE" },
  { title: "KIND" },
  { title: "TYPE" },
  { title: "PRIORITY", align: "right" },
  { title: "ATTEMPT", align: "right" },
  { title: "ADDED" },
  { title: "NOTE" },
];

/** One task in a list. */
export function taskRow(task: Task, nowMs: number): readonly Cell[] {
  return [
    task.id,
    { text: stateName(task.state), tone: stateTone(task.state) },
    task.taskQueue?.name,
    kindName(task.taskQueue?.kind),
    task.type,
    task.priority,
    task.attempt,
    ago(task.addedAt, nowMs),
    note(task, nowMs),
  ];
}

function note(task: Task, nowMs: number): Cell {
  const { state, outcome } = task;
  switch (state) {
    case TaskState.SCHEDULED:
      return `due ${ahead(task.dueAt, nowMs) ?? "later"}${lastFailure(task)}`;
    case TaskState.READY: {
      const [reason] = task.reasons;
      return reason === undefined
        ? undefined
        : { text: `${reasonName(reason.reason)}: ${reason.hint}`, tone: "warning" };
    }
    case TaskState.STARTED:
      return `${task.cancelRequested ? "cancel requested; " : ""}on ${task.workerId}`;
    case TaskState.COMPLETED:
    case TaskState.FAILED:
    case TaskState.TIMED_OUT:
    case TaskState.CANCELED: {
      const failure = outcome?.failure === undefined ? "" : `: ${outcome.failure.type}: ${outcome.failure.message}`;
      return `closed ${ago(outcome?.closedAt, nowMs) ?? ""}${failure}`;
    }
    case TaskState.UNSPECIFIED:
      return undefined;
  }
}

function lastFailure({ failedAttempts }: Task): string {
  const failure = failedAttempts.at(-1)?.failure;
  return failure === undefined ? "" : `; failed: ${failure.type}: ${failure.message}`;
}
