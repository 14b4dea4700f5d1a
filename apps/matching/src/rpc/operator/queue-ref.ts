import type { TaskQueue, TaskQueueKind } from "@tq/matching-core";
import { TaskQueueKind as KindMessage, type TaskQueueRef } from "@tq/proto";
import { checkQueueName, readAnyKind } from "../../translation/task-queue.ts";
import type { Violations } from "../../validation/violations.ts";

const bothKinds: readonly TaskQueueKind[] = ["activity", "workflow"];

/** The queues that a reference names whose kind may be left open: then both kinds of that name. */
export function readQueueOfKinds(
  ref: TaskQueueRef | undefined,
  namespace: string,
  violations: Violations,
): readonly TaskQueue[] {
  if (ref === undefined) violations.add("INVALID_FIELD", "task_queue", "is required");
  else checkQueueName(ref.name, "task_queue.name", violations);
  const kind = readAnyKind(ref?.kind ?? KindMessage.UNSPECIFIED, "task_queue.kind", violations);
  const kinds = kind === undefined ? bothKinds : [kind];
  return kinds.map((each) => ({ namespace, name: ref?.name ?? "", kind: each }));
}
