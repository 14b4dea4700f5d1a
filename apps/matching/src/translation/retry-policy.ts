import { defaultRetryPolicy, type RetryPolicy, type TaskQueueKind } from "@tq/matching-core";
import type { RetryPolicy as RetryPolicyMessage } from "@tq/proto";
import { bounds } from "../validation/bounds.ts";
import { limitItems, readDurationMs, upToTenYears } from "../validation/numbers.ts";
import { allowText } from "../validation/strings.ts";
import type { Violations } from "../validation/violations.ts";
import { toDuration } from "./time.ts";

/** A retry policy, checked, with the defaults of its kind of queue for what it leaves out. */
export function readRetryPolicy(
  message: RetryPolicyMessage,
  kind: TaskQueueKind,
  path: string,
  violations: Violations,
): RetryPolicy {
  const byDefault = defaultRetryPolicy(kind);
  const initial = readDurationMs(message.initialInterval, upToTenYears, `${path}.initial_interval`, violations);
  const maximum = readDurationMs(message.maximumInterval, upToTenYears, `${path}.maximum_interval`, violations);
  const coefficient = message.backoffCoefficient ?? byDefault.backoffCoefficient;
  if (!(coefficient >= 1 && coefficient < Infinity)) {
    violations.add("INVALID_FIELD", `${path}.backoff_coefficient`, "must be a number of at least 1");
  }
  const jitter = message.jitter ?? byDefault.jitter;
  if (!(jitter >= 0 && jitter <= 1)) violations.add("INVALID_FIELD", `${path}.jitter`, "must be 0 to 1");
  const types = message.nonRetryableFailureTypes;
  const field = `${path}.non_retryable_failure_types`;
  if (limitItems(types.length, bounds.nonRetryableFailureTypes, field, violations)) {
    for (const [i, type] of types.entries()) allowText(type, bounds.nameBytes, `${field}[${i}]`, violations);
  }
  return {
    initialIntervalMs: initial ?? byDefault.initialIntervalMs,
    backoffCoefficient: coefficient,
    maximumIntervalMs: maximum ?? byDefault.maximumIntervalMs,
    maximumAttempts: message.maximumAttempts ?? byDefault.maximumAttempts,
    nonRetryableFailureTypes: types.length === 0 ? byDefault.nonRetryableFailureTypes : types,
    jitter,
  };
}

/** A retry policy as a message, every field set. */
export function toRetryPolicyMessage(policy: RetryPolicy): RetryPolicyMessage {
  return {
    $typeName: "tq.v1.RetryPolicy",
    initialInterval: toDuration(policy.initialIntervalMs),
    backoffCoefficient: policy.backoffCoefficient,
    maximumInterval: toDuration(policy.maximumIntervalMs),
    maximumAttempts: policy.maximumAttempts,
    nonRetryableFailureTypes: [...policy.nonRetryableFailureTypes],
    jitter: policy.jitter,
  };
}
