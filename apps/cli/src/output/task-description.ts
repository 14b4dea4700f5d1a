import type { ClosedTask, Failure, FailedAttempt, OnClose, Task, TaskTimeouts } from "@tq/proto";
import { durationMs, type Timestamp, timestampMs } from "@bufbuild/protobuf/wkt";
import { ahead, humanDuration, humanDurationOf, momentAndAge } from "./age.ts";
import { type Field, fieldLines } from "./fields.ts";
import { queueName, reasonName, stateName, stateTone } from "./names.ts";
import { payloadText } from "./payload-value.ts";
import { printable, printableLines } from "./printable.ts";
import type { DescriptionContext } from "./queue-description.ts";
import { retryPolicyText } from "./retry-policy.ts";

/** All that is known of a task, for people. */
export function taskDescriptionLines(task: Task, context: DescriptionContext): string[] {
  const { paint } = context.output;
  return fieldLines(
    [
      ["id", paint("heading", printable(task.id))],
      ["state", stateText(task, context)],
      ...waitFields(task, context),
      ["queue", queueName(task.taskQueue)],
      ["type", printable(task.type)],
      ["run", task.run > 1 ? String(task.run) : undefined],
      ["attempt", attemptText(task)],
      ["input", task.input.map(payloadLine)],
      ...outcomeFields(task, context),
      ["failed attempts", task.failedAttempts.map((failed) => failedAttemptText(failed, task))],
      ["added", momentAndAge(task.addedAt, context.nowMs)],
      ["kept until", momentAndAge(task.keptUntil, context.nowMs)],
      ...settingFields(task),
      ["closed task", task.closedTask && closedTaskLines(task.closedTask)],
    ],
    paint,
  );
}

function stateText(task: Task, { output }: DescriptionContext): string {
  const cancel = task.cancelRequested ? ", cancel requested" : "";
  return output.paint(stateTone(task.state), stateName(task.state)) + cancel;
}

function waitFields(task: Task, { nowMs, output }: DescriptionContext): Field[] {
  return [
    ["due", task.dueAt && `${new Date(timestampMs(task.dueAt)).toISOString()} (${ahead(task.dueAt, nowMs)})`],
    [
      "waits because",
      task.reasons.map(
        ({ reason, since, hint }) =>
          `${output.paint("warning", reasonName(reason))}${forText(since, nowMs)}: ${printable(hint)}`,
      ),
    ],
    ["started", momentAndAge(task.startedAt, nowMs)],
    ["worker", text(task.workerId)],
    ["lease until", momentAndAge(task.leaseUntil, nowMs)],
  ];
}

function forText(since: Timestamp | undefined, nowMs: number): string {
  return since === undefined ? "" : ` for ${humanDuration(nowMs - timestampMs(since))}`;
}

function attemptText({ attempt, retryPolicy }: Task): string {
  const most = retryPolicy?.maximumAttempts;
  return `${attempt}${most === undefined ? "" : most === 0 ? " (no limit)" : ` of ${most}`}`;
}

function outcomeFields({ outcome }: Task, { nowMs }: DescriptionContext): Field[] {
  if (outcome === undefined) return [];
  return [
    ["closed", momentAndAge(outcome.closedAt, nowMs)],
    ["result", outcome.result && payloadLine(outcome.result)],
    ["failure", outcome.failure && failureLines(outcome.failure)],
    ["last heartbeat", outcome.heartbeatDetails && payloadLine(outcome.heartbeatDetails)],
  ];
}

function settingFields(task: Task): Field[] {
  const { fallback, onClose, retryPolicy } = task;
  return [
    ["priority", String(task.priority)],
    [
      "fairness key",
      task.fairnessKey === "" ? undefined : `${printable(task.fairnessKey)}, weight ${task.fairnessWeight}`,
    ],
    ["serial key", text(task.serialKey)],
    ["headers", Object.entries(task.headers).map(([name, value]) => `${printable(name)}=${printable(value)}`)],
    ["timeouts", task.timeouts && timeoutsText(task.timeouts)],
    ["retries", retryPolicy && text(retryPolicyText(retryPolicy))],
    ["fallback", fallback && queueName(fallback.taskQueue)],
    ["on close", onClose && onCloseText(onClose)],
  ];
}

function onCloseText({ type, taskQueue, fallbackTaskQueue }: OnClose): string {
  const fallback = fallbackTaskQueue === undefined ? "" : `, or to ${queueName(fallbackTaskQueue)} if nobody serves it`;
  return `${printable(type)} to ${queueName(taskQueue)}${fallback}`;
}

function timeoutsText({ scheduleToStart, startToClose, scheduleToClose, heartbeat }: TaskTimeouts): string | undefined {
  const named = [
    ["schedule to start", scheduleToStart],
    ["start to close", startToClose],
    ["schedule to close", scheduleToClose],
    ["heartbeat", heartbeat],
  ] as const;
  const set = named.flatMap(([name, timeout]) =>
    timeout === undefined ? [] : [`${name} ${durationMs(timeout) === 0 ? "without limit" : humanDurationOf(timeout)}`],
  );
  return set.length === 0 ? undefined : set.join(", ");
}

function failureLines(failure: Failure): string[] {
  const lines = [
    `${failureText(failure)}${failure.nonRetryable ? " (not retryable)" : ""}`,
    ...failure.details.map((detail) => `  ${payloadLine(detail)}`),
    // The first line of a stack says again what failed.
    ...printableLines(failure.stackTrace).filter((line) => /^\s+at /.test(line)),
  ];
  return failure.cause === undefined ? lines : [...lines, ...causeLines(failure.cause)];
}

function causeLines(cause: Failure): string[] {
  return failureLines(cause).map((line, index) => (index === 0 ? `caused by ${line}` : line));
}

function failureText({ type, message }: Failure): string {
  return [type, message]
    .filter((part) => part !== "")
    .map(printable)
    .join(": ");
}

function failedAttemptText(failed: FailedAttempt, task: Task): string {
  const { attempt, workerId, startedAt, failedAt, failure } = failed;
  // Attempts are counted anew in each run.
  const run = task.run > 1 ? `run ${failed.run} ` : "";
  const tookMs = startedAt && failedAt && timestampMs(failedAt) - timestampMs(startedAt);
  const took = tookMs === undefined ? "" : ` after ${humanDuration(tookMs)}`;
  const worker = workerId === "" ? "" : ` on ${printable(workerId)}`;
  return `${run}#${attempt}${took}${worker}${failure === undefined ? "" : `: ${failureText(failure)}`}`;
}

function closedTaskLines(closed: ClosedTask): string[] {
  const { outcome } = closed;
  return [
    `${printable(closed.id)} (${printable(closed.type)}) of ${queueName(closed.taskQueue)}`,
    ...(outcome === undefined ? [] : [`  ${stateName(outcome.state)}`]),
    ...(outcome?.result === undefined ? [] : [`  result ${payloadLine(outcome.result)}`]),
    ...(outcome?.failure === undefined ? [] : failureLines(outcome.failure).map((line) => `  ${line}`)),
    ...(closed.context === undefined ? [] : [`  context ${payloadLine(closed.context)}`]),
  ];
}

function payloadLine(payload: Parameters<typeof payloadText>[0]): string {
  return printable(payloadText(payload));
}

function text(value: string): string | undefined {
  return value === "" ? undefined : printable(value);
}
