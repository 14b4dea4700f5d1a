import { KeyedTaskQueue, type TaskQueue, type TaskQueueKind } from "@tq/matching-core";
import { TaskQueueKind as KindMessage, type TaskQueueRef } from "@tq/proto";
import { bounds } from "../validation/bounds.ts";
import { requireName } from "../validation/strings.ts";
import type { Violations } from "../validation/violations.ts";

/** Names that begin so are the server's own. */
export const reservedPrefix = "tq.";

/** Which kinds a reference may name: any, but it must say which; or only one, which it may leave out. */
export type KindRule = "named" | TaskQueueKind;

/** A queue that a request names, checked. */
export function readTaskQueue(
  ref: TaskQueueRef | undefined,
  namespace: string,
  rule: KindRule,
  field: string,
  violations: Violations,
): TaskQueue {
  if (ref === undefined) {
    violations.add("INVALID_FIELD", field, "is required");
    return { namespace, name: "", kind: rule === "named" ? "activity" : rule };
  }
  checkQueueName(ref.name, `${field}.name`, violations);
  return new KeyedTaskQueue(namespace, ref.name, readKind(ref.kind, rule, field, violations));
}

/** Checks the name of a queue. */
export function checkQueueName(name: string, field: string, violations: Violations): void {
  requireName(name, bounds.nameBytes, field, violations);
  if (name.startsWith(reservedPrefix)) {
    violations.add("INVALID_NAME", field, `must not begin with "${reservedPrefix}", which is reserved`);
  }
}

/** The kind that an enum names; undefined if it is unspecified. */
export function kindOf(kind: KindMessage): TaskQueueKind | undefined {
  if (kind === KindMessage.ACTIVITY) return "activity";
  return kind === KindMessage.WORKFLOW ? "workflow" : undefined;
}

/** A kind that may be left unspecified, for filters. */
export function readAnyKind(kind: KindMessage, field: string, violations: Violations): TaskQueueKind | undefined {
  const known = kindOf(kind);
  if (known === undefined && kind !== KindMessage.UNSPECIFIED)
    violations.add("INVALID_FIELD", field, "is not a known kind");
  return known;
}

/** A queue as a message. */
export function toTaskQueueRef(queue: Pick<TaskQueue, "name" | "kind">): TaskQueueRef {
  const kind = queue.kind === "activity" ? KindMessage.ACTIVITY : KindMessage.WORKFLOW;
  return { $typeName: "tq.v1.TaskQueueRef", name: queue.name, kind };
}

function readKind(kind: KindMessage, rule: KindRule, field: string, violations: Violations): TaskQueueKind {
  const named = kindOf(kind);
  if (rule === "named") {
    if (named === undefined) violations.add("INVALID_FIELD", `${field}.kind`, "must be ACTIVITY or WORKFLOW");
    return named ?? "activity";
  }
  if (kind !== KindMessage.UNSPECIFIED && named !== rule) {
    violations.add("INVALID_FIELD", `${field}.kind`, `must be ${rule.toUpperCase()}, or left unspecified`);
  }
  return rule;
}
