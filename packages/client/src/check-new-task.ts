import { invalidField } from "./errors.ts";
import { type KnownOptions, refuseUnknownOptions } from "./known-options.ts";
import type { Fallback, NewTask, OnClose, RetryPolicy } from "./new-task.ts";

const newTaskOptions: KnownOptions<NewTask> = {
  id: true,
  priority: true,
  fairnessKey: true,
  fairnessWeight: true,
  serialKey: true,
  startDelay: true,
  scheduleToStartTimeout: true,
  startToCloseTimeout: true,
  scheduleToCloseTimeout: true,
  heartbeatTimeout: true,
  retry: true,
  headers: true,
  fallback: true,
  onClose: true,
  idPolicy: true,
  retention: true,
  taskQueue: true,
  kind: true,
  type: true,
  args: true,
};

const retryOptions: KnownOptions<RetryPolicy> = {
  initialInterval: true,
  backoffCoefficient: true,
  maximumInterval: true,
  maximumAttempts: true,
  nonRetryableFailureTypes: true,
  jitter: true,
};

const fallbackOptions: KnownOptions<Fallback> = { taskQueue: true, type: true, args: true };

const onCloseOptions: KnownOptions<OnClose> = {
  taskQueue: true,
  type: true,
  serialKey: true,
  context: true,
  priority: true,
  headers: true,
  fallbackTaskQueue: true,
};

/**
 * Refuses a task that the contract has no message for. Many tasks go in one call: one that could not be written down would
 * fail the call, and its neighbours with it. Whether values are in range is the server's to say, to each task by itself.
 *
 * @throws TqError `invalid_argument` naming the option.
 */
export function checkNewTask(task: NewTask): void {
  refuseUnknownOptions(task, newTaskOptions);
  text(task.taskQueue, "taskQueue");
  text(task.type, "type");
  const { kind, retry, fallback, onClose, headers, args } = task;
  if (kind !== undefined && kind !== "activity" && kind !== "workflow") {
    throw invalidField("kind", `${shown(kind)} is neither "activity" nor "workflow"`);
  }
  optionalText(task.id, "id");
  optionalText(task.serialKey, "serialKey");
  optionalText(task.fairnessKey, "fairnessKey");
  whole(task.priority, "priority");
  number(task.fairnessWeight, "fairnessWeight");
  if (args !== undefined) list(args, "args");
  if (headers !== undefined) texts(headers, "headers");
  if (retry !== undefined) checkRetry(retry);
  if (fallback !== undefined) {
    known(fallback, fallbackOptions, "fallback");
    text(fallback.taskQueue, "fallback.taskQueue");
    optionalText(fallback.type, "fallback.type");
    if (fallback.args !== undefined) list(fallback.args, "fallback.args");
  }
  if (onClose !== undefined) {
    known(onClose, onCloseOptions, "onClose");
    text(onClose.taskQueue, "onClose.taskQueue");
    text(onClose.type, "onClose.type");
    optionalText(onClose.serialKey, "onClose.serialKey");
    optionalText(onClose.fallbackTaskQueue, "onClose.fallbackTaskQueue");
    whole(onClose.priority, "onClose.priority");
    if (onClose.headers !== undefined) texts(onClose.headers, "onClose.headers");
  }
}

function checkRetry(retry: RetryPolicy): void {
  known(retry, retryOptions, "retry");
  const { nonRetryableFailureTypes: types } = retry;
  whole(retry.maximumAttempts, "retry.maximumAttempts");
  number(retry.backoffCoefficient, "retry.backoffCoefficient");
  number(retry.jitter, "retry.jitter");
  if (types === undefined) return;
  list(types, "retry.nonRetryableFailureTypes");
  for (const [index, type] of types.entries()) text(type, `retry.nonRetryableFailureTypes[${index}]`);
}

function known<Options extends object>(options: Options, all: KnownOptions<Options>, field: string): void {
  record(options, field);
  refuseUnknownOptions(options, all, field);
}

function record(value: unknown, field: string): asserts value is Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw invalidField(field, `${shown(value)} is no object`);
  }
}

function texts(value: unknown, field: string): void {
  record(value, field);
  for (const name in value) text(value[name], `${field}[${JSON.stringify(name)}]`);
}

function text(value: unknown, field: string): void {
  if (typeof value !== "string") throw invalidField(field, `${shown(value)} is no text`);
}

function optionalText(value: unknown, field: string): void {
  if (value !== undefined) text(value, field);
}

function list(value: unknown, field: string): void {
  if (!Array.isArray(value)) throw invalidField(field, `${shown(value)} is no array`);
}

function number(value: unknown, field: string): void {
  if (value === undefined || (typeof value === "number" && Number.isFinite(value))) return;
  throw invalidField(field, `${shown(value)} is no number`);
}

/** As the contract has it: 32 bits without a sign. */
function whole(value: unknown, field: string): void {
  if (value === undefined || (Number.isInteger(value) && Number(value) >= 0 && Number(value) < 2 ** 32)) return;
  throw invalidField(field, `${shown(value)} is no whole number from 0 to 4294967295`);
}

function shown(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  return typeof value === "object" && value !== null ? `a value of type ${typeof value}` : String(value);
}
