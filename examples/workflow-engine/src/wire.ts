import type { ClosedTask, NewTask } from "@tq/client";
import { checkCommand, commands, type TaskInfo, type WorkflowCommand } from "@tq/worker-sdk";
import { type Arrival, BadEventError } from "./histories.ts";
import type { Command, Event, HistoryRecord, Signaled, Started } from "./history.ts";

/**
 * The task that brings an event to a workflow. Its type is the workflow's, so that tq hands it only to an engine that has
 * that workflow, and its serial key the workflow's id, so that a workflow has one event at a time.
 */
export function eventTask(
  taskQueue: string,
  to: { readonly workflow: string; readonly type: string },
  event: Started | Signaled,
  id: string,
): NewTask & { readonly id: string } {
  return { id, taskQueue, kind: "workflow", type: to.type, serialKey: to.workflow, args: [event] };
}

/** The id of the task that starts a workflow: starting it again adds nothing. */
export function startTaskId(workflow: string): string {
  return `${workflow}/start`;
}

/** What a record's commands are to the server. All that comes back bears the workflow's id as its serial key. */
export function commandsOf(record: HistoryRecord, taskQueue: string): WorkflowCommand[] {
  return record.decision.commands.map((command) => commandOf(command, record, taskQueue));
}

function commandOf(command: Command, { workflow, type }: HistoryRecord, taskQueue: string): WorkflowCommand {
  const id = `${workflow}/${command.n}`;
  switch (command.kind) {
    case "activity": {
      const onClose = { taskQueue, type, serialKey: workflow, context: { n: command.n } };
      return commands.scheduleActivity({ ...command.options, id, type: command.type, args: command.args, onClose });
    }
    case "timer": {
      const fired: Event = { kind: "fired", n: command.n };
      return commands.startTimer({ id, taskQueue, type, serialKey: workflow, delay: command.delayMs, args: [fired] });
    }
    case "cancel":
      return commands.cancelTask(id, { reason: command.reason });
    case "send":
      return commands.addTask(eventTask(taskQueue, command, command.event, id));
  }
}

/** So that what a workflow cannot ask for is known before it is written down. @throws TqError naming what is wrong. */
export function checkCommands(record: HistoryRecord): void {
  for (const command of commandsOf(record, "any")) checkCommand(command);
}

/** What an engine looks at of a task. */
export interface EventTask {
  readonly info: Pick<TaskInfo, "taskId" | "type" | "serialKey" | "closedTask">;
  readonly args: readonly unknown[];
}

/** The event that a workflow task brings. @throws BadEventError if it is none. */
export function readArrival({ info: { taskId, type, serialKey, closedTask }, args }: EventTask): Arrival {
  if (serialKey === "") throw new BadEventError("it has no serial key, which would be the workflow's id");
  const event = closedTask === undefined ? eventOf(args[0]) : outcomeOf(closedTask);
  return { workflow: serialKey, type, task: taskId, event };
}

function eventOf(value: unknown): Event {
  if (isObject(value)) {
    const { kind, args, signal, n } = value;
    if (kind === "started" && Array.isArray(args)) return { kind, args };
    if (kind === "signaled" && typeof signal === "string") return { kind, signal, value: value["value"] };
    if (kind === "fired" && typeof n === "number") return { kind, n };
  }
  throw new BadEventError("its first argument is no event of a workflow");
}

function outcomeOf({ context, state, result, failure, id }: ClosedTask): Event {
  const n = isObject(context) ? context["n"] : undefined;
  if (typeof n !== "number") throw new BadEventError(`it tells the outcome of task ${id}, which no workflow asked for`);
  if (state === "COMPLETED") return { kind: "completed", n, result };
  if (state === "CANCELED") {
    return { kind: "failed", n, failure: { type: "Canceled", message: "the activity was canceled" } };
  }
  return { kind: "failed", n, failure: { type: failure?.type ?? "Unknown", message: failure?.message ?? "" } };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
