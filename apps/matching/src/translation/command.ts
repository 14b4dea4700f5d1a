import type { Command, NewTask as NewTaskMessage, StartTimer } from "@tq/proto";
import type { CommandRecord, NewTask } from "@tq/storage";
import { bounds } from "../validation/bounds.ts";
import { readDurationMs, readPriority, upToTenYears } from "../validation/numbers.ts";
import { allowName, allowText, requireName } from "../validation/strings.ts";
import { readFallbackQueue, readNewTask, readTaskHeaders, type NewTaskReader } from "./new-task.ts";
import { readPayloads } from "./payload.ts";
import { readTaskQueue, type KindRule } from "./task-queue.ts";
import type { Writable } from "./writable.ts";

/** Path of the commands inside an answer. */
export const commandsPath = "completed.commands";

/** Where in a command of each form its task or its fields stand. */
const formPath = {
  addTask: "add_task.task",
  scheduleActivityTask: "schedule_activity_task.task",
  startTimer: "start_timer",
  cancelTask: "cancel_task",
} as const;

/** Where in an answer the fields of its i-th command stand; where the command itself does, if that is all one knows. */
export function pathOfCommand(command: Command["command"] | undefined, index: number): string {
  const path = `${commandsPath}[${index}]`;
  return command?.case === undefined ? path : `${path}.${formPath[command.case]}`;
}

/** The i-th command of an answer, checked; undefined (and a violation) if it says nothing. */
export function readCommand({ command }: Command, index: number, reader: NewTaskReader): CommandRecord | undefined {
  const { violations } = reader;
  switch (command.case) {
    case "addTask":
      return readAdd(command.value.task, "named", formPath.addTask, index, reader);
    case "scheduleActivityTask":
      return readAdd(command.value.task, "activity", formPath.scheduleActivityTask, index, reader);
    case "startTimer":
      violations.within(commandsPath, index, formPath.startTimer);
      return { command: "add", task: readTimer(command.value, reader) };
    case "cancelTask": {
      violations.within(commandsPath, index, formPath.cancelTask);
      const { id, reason } = command.value;
      requireName(id, bounds.lookedUpTaskIdBytes, "id", violations);
      allowText(reason, bounds.reasonBytes, "reason", violations);
      return { command: "cancel", id, reason };
    }
    case undefined:
      violations.within(commandsPath, index);
      violations.add(
        "INVALID_FIELD",
        "",
        "must have one of add_task, schedule_activity_task, start_timer and cancel_task",
      );
      return undefined;
  }
}

function readAdd(
  task: NewTaskMessage | undefined,
  kindRule: KindRule,
  path: string,
  index: number,
  reader: NewTaskReader,
): CommandRecord | undefined {
  reader.violations.within(commandsPath, index, path);
  if (task === undefined) {
    reader.violations.add("INVALID_FIELD", "", "is required");
    return undefined;
  }
  return { command: "add", task: readNewTask(task, kindRule, reader) };
}

function readTimer(timer: StartTimer, { namespace, violations, makeId }: NewTaskReader): NewTask {
  allowName(timer.id, bounds.taskIdBytes, "id", violations);
  requireName(timer.type, bounds.nameBytes, "type", violations);
  const task: Writable<NewTask> = {
    id: timer.id === "" ? makeId() : timer.id,
    queue: readTaskQueue(timer.taskQueue, namespace, "workflow", "task_queue", violations),
    type: timer.type,
    input: readPayloads(timer.input, "input", violations),
    priority: readPriority(timer.priority, "priority", violations),
    fairnessKey: "",
    fairnessWeight: 1,
    startDelayMs: readDurationMs(timer.delay, upToTenYears, "delay", violations) ?? 0,
    timeouts: {},
    idPolicy: "reject",
  };
  if (timer.serialKey !== "") {
    allowName(timer.serialKey, bounds.nameBytes, "serial_key", violations);
    task.serialKey = timer.serialKey;
  }
  const headers = readTaskHeaders(timer.headers, "headers", violations);
  if (headers !== undefined) task.headers = headers;
  if (timer.fallbackTaskQueue !== undefined) {
    const queueName = readFallbackQueue(timer.fallbackTaskQueue, task.queue, "fallback_task_queue", violations);
    task.fallback = { queueName };
  }
  return task;
}
