import type { FairnessKeyConfig, TaskQueueConfig } from "@tq/proto";
import { humanDurationOf } from "./age.ts";
import type { Field } from "./fields.ts";
import { printable } from "./printable.ts";
import { retryPolicyText } from "./retry-policy.ts";

/** What an operator has set on a queue; empty if nothing. */
export function configFields(config: TaskQueueConfig): Field[] {
  const fields: Field[] = [
    ["rate", config.ratePerSecond === undefined ? undefined : `${config.ratePerSecond}/s`],
    ["burst", numberText(config.burst)],
    ["max started", numberText(config.maxStarted)],
    ["max backlog", numberText(config.maxBacklog)],
    ["fairness keys", Object.entries(config.fairnessKeys).map(([key, of]) => `${printable(key)}: ${keyText(of)}`)],
    ["other keys", config.defaultFairnessKey && keyText(config.defaultFairnessKey)],
    ["completed kept", humanDurationOf(config.completedRetention)],
    ["dead kept", humanDurationOf(config.deadRetention)],
    ["retries", config.defaultRetryPolicy && retryPolicyText(config.defaultRetryPolicy)],
    ["start to close", humanDurationOf(config.defaultStartToCloseTimeout)],
    ["schedule to start", humanDurationOf(config.defaultScheduleToStartTimeout)],
    ["schedule to close", humanDurationOf(config.defaultScheduleToCloseTimeout)],
  ];
  return fields.filter(([, value]) => value !== undefined && value.length > 0);
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

function numberText(value: number | bigint | undefined): string | undefined {
  return value === undefined ? undefined : String(value);
}
