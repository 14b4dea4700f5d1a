import { invalidField } from "./errors.ts";
import { type KnownOptions, refuseUnknownOptions } from "./known-options.ts";
import {
  optionalNumber,
  optionalWhole,
  requireList,
  requireRecord,
  requireText,
  requireTexts,
  shown,
} from "./option-checks.ts";
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
  context: "nullable",
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
  requireRecord(task, "task");
  refuseUnknownOptions<NewTask>(task, newTaskOptions);
  requireText(task.taskQueue, "taskQueue");
  requireText(task.type, "type");
  const { kind, retry, fallback, onClose, headers, args } = task;
  if (kind !== undefined && kind !== "activity" && kind !== "workflow") {
    throw invalidField("kind", `${shown(kind)} is neither "activity" nor "workflow"`);
  }
  optionalText(task.id, "id");
  if (task.id === "") throw invalidField("id", "is empty: leave it out, and one is made");
  optionalText(task.serialKey, "serialKey");
  optionalText(task.fairnessKey, "fairnessKey");
  optionalWhole(task.priority, "priority");
  optionalNumber(task.fairnessWeight, "fairnessWeight");
  if (args !== undefined) requireList(args, "args");
  if (headers !== undefined) texts(headers, "headers");
  if (retry !== undefined) checkRetry(retry);
  if (fallback !== undefined) {
    refuseUnknownOptions(fallback, fallbackOptions, "fallback");
    requireText(fallback.taskQueue, "fallback.taskQueue");
    optionalText(fallback.type, "fallback.type");
    if (fallback.args !== undefined) requireList(fallback.args, "fallback.args");
  }
  if (onClose !== undefined) {
    refuseUnknownOptions(onClose, onCloseOptions, "onClose");
    requireText(onClose.taskQueue, "onClose.taskQueue");
    requireText(onClose.type, "onClose.type");
    optionalText(onClose.serialKey, "onClose.serialKey");
    optionalText(onClose.fallbackTaskQueue, "onClose.fallbackTaskQueue");
    optionalWhole(onClose.priority, "onClose.priority");
    if (onClose.headers !== undefined) texts(onClose.headers, "onClose.headers");
  }
}

function checkRetry(retry: RetryPolicy): void {
  refuseUnknownOptions(retry, retryOptions, "retry");
  const { nonRetryableFailureTypes: types } = retry;
  optionalWhole(retry.maximumAttempts, "retry.maximumAttempts");
  optionalNumber(retry.backoffCoefficient, "retry.backoffCoefficient");
  optionalNumber(retry.jitter, "retry.jitter");
  if (types === undefined) return;
  requireTexts(types, "retry.nonRetryableFailureTypes");
}

function texts(value: unknown, field: string): void {
  requireRecord(value, field);
  for (const name in value) {
    const place = `${field}[${JSON.stringify(name)}]`;
    requireText(name, place);
    requireText(value[name], place);
  }
}

function optionalText(value: unknown, field: string): void {
  if (value !== undefined) requireText(value, field);
}
