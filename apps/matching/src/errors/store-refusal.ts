import type { Refusal } from "@tq/storage";
import { CallRefused, type FieldViolation } from "./call-refused.ts";
import type { Reason } from "./error-table.ts";

const reasonOfRefusal: Readonly<Record<Refusal["reason"], Reason>> = {
  "namespace-not-found": "NAMESPACE_NOT_FOUND",
  "task-id-taken": "TASK_ID_TAKEN",
  "duplicate-id": "DUPLICATE_ID_IN_BATCH",
  "too-many-types": "TOO_MANY_TYPES",
  "request-id-reused": "REQUEST_ID_REUSED",
  "not-a-workflow-task": "INVALID_FIELD",
  "queue-draining": "TASK_QUEUE_DRAINING",
  "max-backlog": "MAX_BACKLOG",
  "revision-mismatch": "REVISION_MISMATCH",
  "queue-not-empty": "TASK_QUEUE_NOT_EMPTY",
};

/**
 * What the store refused, as a refused call.
 *
 * @param itemPath the item that `refusal.index` counts, such as "tasks[3]"
 * @param requestIdPath where the call carries its request id
 */
export function refusedByStore(refusal: Refusal, itemPath: string, requestIdPath = "request_id"): CallRefused {
  const reason = reasonOfRefusal[refusal.reason];
  const field = fieldOfRefusal(refusal, reason, itemPath, requestIdPath);
  const fields = field === undefined ? [] : [field];
  if (refusal.reason === "revision-mismatch") {
    return new CallRefused(reason, {
      fields,
      metadata: { revision: refusal.subject },
    });
  }
  return new CallRefused(reason, { subject: subjectOf(refusal), fields });
}

/** What the caller knows it by: the request id of a call on both kinds of a queue is stored once for each, behind a NUL. */
function subjectOf({ reason, subject }: Refusal): string {
  return reason === "request-id-reused" ? (subject.split("\u0000", 1)[0] ?? "") : subject;
}

function fieldOfRefusal(
  refusal: Refusal,
  reason: Reason,
  itemPath: string,
  requestIdPath: string,
): FieldViolation | undefined {
  switch (refusal.reason) {
    case "namespace-not-found":
    case "queue-not-empty":
      return undefined;
    case "request-id-reused":
      return { reason, field: requestIdPath, description: "belongs to another call" };
    case "task-id-taken":
      return { reason, field: `${itemPath}.id`, description: "is taken" };
    case "duplicate-id":
      return { reason, field: `${itemPath}.id`, description: "stands twice" };
    case "not-a-workflow-task":
      return {
        reason,
        field: itemPath,
        description: "is a command, and only workflow tasks are answered with commands",
      };
    case "queue-draining":
      return { reason, field: `${itemPath}.task_queue`, description: "is being drained" };
    case "max-backlog":
      return { reason, field: `${itemPath}.task_queue`, description: "has as many open tasks as it may" };
    case "revision-mismatch":
      return {
        reason,
        field: "expected_revision",
        description: `is not the present one, which is ${refusal.subject}`,
      };
    case "too-many-types":
      return { reason, field: `${itemPath}.type`, description: "is one type too many" };
  }
}
