import type { RetryPolicy } from "@tq/proto";
import { humanDurationOf } from "./age.ts";
import { printable } from "./printable.ts";

/** What is set of a retry policy, for people. */
export function retryPolicyText(policy: RetryPolicy): string {
  const { maximumAttempts, initialInterval, backoffCoefficient, maximumInterval, jitter } = policy;
  const { nonRetryableFailureTypes } = policy;
  const parts = [
    maximumAttempts === undefined
      ? ""
      : maximumAttempts === 0
        ? "any number of attempts"
        : `${maximumAttempts} attempts`,
    initialInterval === undefined ? "" : `first after ${humanDurationOf(initialInterval)}`,
    backoffCoefficient === undefined ? "" : `then ×${backoffCoefficient}`,
    maximumInterval === undefined ? "" : `up to ${humanDurationOf(maximumInterval)}`,
    jitter === undefined ? "" : `jitter ${jitter}`,
    nonRetryableFailureTypes.length === 0 ? "" : `never after ${nonRetryableFailureTypes.map(printable).join(", ")}`,
  ];
  return parts.filter((part) => part !== "").join(", ");
}
