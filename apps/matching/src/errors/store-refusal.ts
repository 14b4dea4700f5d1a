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
};

/** What the store refused, as a refused call. `itemPath` names the item that `refusal.index` counts, such as "tasks[3]". */
export function refusedByStore(refusal: Refusal, itemPath: string): CallRefused {
  const reason = reasonOfRefusal[refusal.reason];
  const field = fieldOfRefusal(refusal, reason, itemPath);
  return new CallRefused(reason, { subject: refusal.subject, fields: field === undefined ? [] : [field] });
}

function fieldOfRefusal(refusal: Refusal, reason: Reason, itemPath: string): FieldViolation | undefined {
  switch (refusal.reason) {
    case "namespace-not-found":
      return undefined;
    case "request-id-reused":
      return { reason, field: "request_id", description: "belongs to another call" };
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
    case "too-many-types":
      return { reason, field: `${itemPath}.type`, description: "is one type too many" };
  }
}
