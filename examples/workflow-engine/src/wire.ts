import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  createIdSource,
  decodePayload,
  defaultPayloadConverter,
  durationMessage,
  encodeInput,
  encodeNewTask,
  type NewTask,
  systemClock,
} from "@tq/client";
import { type ClosedTask, type CommandSchema, type DispatchedTask, TaskQueueKind, TaskState } from "@tq/proto";
import { type Arrival, BadEventError } from "./histories.ts";
import type { Command, Event, HistoryRecord, Signaled, Started } from "./history.ts";

/** A command as the contract has it. */
export type CommandMessage = MessageInitShape<typeof CommandSchema>;

const converter = defaultPayloadConverter;
const newId = createIdSource(systemClock);

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

/** What the commands of a record are to the server. All that comes back bears the workflow's id as its serial key. */
export function commandMessages(record: HistoryRecord, taskQueue: string): CommandMessage[] {
  return record.decision.commands.map((command) => commandMessage(command, record, taskQueue));
}

function commandMessage(command: Command, record: HistoryRecord, taskQueue: string): CommandMessage {
  const { workflow, type } = record;
  const id = `${workflow}/${command.n}`;
  switch (command.kind) {
    case "activity": {
      const { options, args } = command;
      const onClose = { taskQueue, type, serialKey: workflow, context: { n: command.n } };
      const task = encodeNewTask({ ...options, id, type: command.type, args, onClose }, converter, newId);
      return { command: { case: "scheduleActivityTask", value: { task } } };
    }
    case "timer": {
      const value = {
        id,
        taskQueue: { name: taskQueue, kind: TaskQueueKind.WORKFLOW },
        type,
        serialKey: workflow,
        delay: durationMessage(command.delayMs, "delay"),
        input: encodeInput([{ kind: "fired", n: command.n } satisfies Event], converter),
      };
      return { command: { case: "startTimer", value } };
    }
    case "cancel":
      return { command: { case: "cancelTask", value: { id, reason: command.reason } } };
    case "send": {
      const task = encodeNewTask(eventTask(taskQueue, command, command.event, id), converter, newId);
      return { command: { case: "addTask", value: { task } } };
    }
  }
}

/** The event that a workflow task brings. @throws BadEventError if it is none. */
export function readArrival(task: DispatchedTask): Arrival {
  if (task.serialKey === "") throw new BadEventError("it has no serial key, which would be the workflow's id");
  const event = task.closedTask === undefined ? eventOf(task) : outcomeOf(task.closedTask);
  return { workflow: task.serialKey, type: task.type, task: task.id, event };
}

function eventOf(task: DispatchedTask): Event {
  const value = decodePayload(task.input[0]);
  if (isObject(value)) {
    const { kind, args, signal, n } = value;
    if (kind === "started" && Array.isArray(args)) return { kind, args };
    if (kind === "signaled" && typeof signal === "string") return { kind, signal, value: value["value"] };
    if (kind === "fired" && typeof n === "number") return { kind, n };
  }
  throw new BadEventError("its first argument is no event of a workflow");
}

function outcomeOf({ context, outcome, id }: ClosedTask): Event {
  const value = decodePayload(context);
  const n = isObject(value) ? value["n"] : undefined;
  if (typeof n !== "number" || outcome === undefined) {
    throw new BadEventError(`it tells the outcome of task ${id}, which no workflow asked for`);
  }
  if (outcome.state === TaskState.COMPLETED) return { kind: "completed", n, result: decodePayload(outcome.result) };
  if (outcome.state === TaskState.CANCELED) {
    return { kind: "failed", n, failure: { type: "Canceled", message: "the activity was canceled" } };
  }
  const { type = "Unknown", message = "" } = outcome.failure ?? {};
  return { kind: "failed", n, failure: { type, message } };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
