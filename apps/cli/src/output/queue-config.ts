import { type Duration, durationMs } from "@bufbuild/protobuf/wkt";
import {
  type FairnessKeyConfig,
  type TaskQueueConfig,
  TaskQueueConfigSchema,
  type TaskQueueRef,
  TaskQueueRefSchema,
} from "@tq/proto";
import { humanDurationOf } from "./age.ts";
import { type Field, fieldLines } from "./fields.ts";
import { messageJson } from "./message-json.ts";
import { queueName } from "./names.ts";
import type { Output } from "./output.ts";
import { printable } from "./printable.ts";
import { retryPolicyText } from "./retry-policy.ts";

/** The configuration of one queue, for people. */
export function configLines(queue: TaskQueueRef | undefined, config: TaskQueueConfig, { paint }: Output): string[] {
  const title = paint("heading", queueName(queue));
  const fields = configFields(config);
  const revision: Field = ["revision", String(config.revision)];
  if (config.revision === 0n && fields.length === 0) return [`${title}: nothing was ever set`];
  return [title, ...fieldLines(fields.length === 0 ? [["set", "nothing"], revision] : [...fields, revision], paint)];
}

/** Prints the configuration of one queue as it is after a change. */
export function reportConfig(queue: TaskQueueRef, config: TaskQueueConfig, output: Output): void {
  if (output.format === "json") {
    output.json({
      taskQueue: messageJson(TaskQueueRefSchema, queue),
      config: messageJson(TaskQueueConfigSchema, config),
    });
  } else {
    output.lines(configLines(queue, config, output));
  }
}

/** What an operator has set on a queue; empty if nothing. */
export function configFields(config: TaskQueueConfig): Field[] {
  const fields: Field[] = [
    ["rate", config.ratePerSecond === undefined ? undefined : `${config.ratePerSecond}/s`],
    ["burst", numberText(config.burst)],
    ["max started", numberText(config.maxStarted)],
    ["max backlog", numberText(config.maxBacklog)],
    ["fairness keys", keyTexts(config)],
    ["other keys", config.defaultFairnessKey && keyText(config.defaultFairnessKey)],
    ["completed kept", durationText(config.completedRetention, "not at all")],
    ["dead kept", durationText(config.deadRetention, "not at all")],
    ["retries", config.defaultRetryPolicy && retryPolicyText(config.defaultRetryPolicy)],
    ["start to close", durationText(config.defaultStartToCloseTimeout, "without limit")],
    ["schedule to start", durationText(config.defaultScheduleToStartTimeout, "without limit")],
    ["schedule to close", durationText(config.defaultScheduleToCloseTimeout, "without limit")],
  ];
  return fields.filter(([, value]) => value !== undefined && value.length > 0);
}

function keyTexts({ fairnessKeys }: TaskQueueConfig): string[] {
  return Object.entries(fairnessKeys)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, of]) => `${key === "" ? "(tasks without a key)" : printable(key)}: ${keyText(of)}`);
}

function keyText({ ratePerSecond, burst, weight, maxStarted }: FairnessKeyConfig): string {
  const parts = [
    ratePerSecond === undefined ? "" : `${ratePerSecond}/s`,
    burst === undefined ? "" : `burst ${burst}`,
    weight === undefined ? "" : `weight ${weight}`,
    maxStarted === undefined ? "" : `at most ${maxStarted} started`,
  ];
  return parts.filter((part) => part !== "").join(", ") || "no limits";
}

/** A length of time of which none at all means something. */
function durationText(duration: Duration | undefined, none: string): string | undefined {
  return duration !== undefined && durationMs(duration) === 0 ? none : humanDurationOf(duration);
}

function numberText(value: number | bigint | undefined): string | undefined {
  return value === undefined ? undefined : String(value);
}
