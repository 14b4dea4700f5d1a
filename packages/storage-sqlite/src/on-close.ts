import { defaultPriority, defaultWeight, type TaskQueue } from "@tq/matching-core";
import type { ClosedTaskRecord, NewTask, OnCloseRecord, OutcomeRecord } from "@tq/storage";
import type { TaskRow } from "./task-row.ts";

const noInput = new Uint8Array();

/** The workflow task to add as a task closes. */
export function onCloseTask(id: string, namespace: string, onClose: OnCloseRecord): NewTask {
  return {
    id,
    queue: { namespace, name: onClose.queueName, kind: "workflow" },
    type: onClose.type,
    input: noInput,
    priority: onClose.priority ?? defaultPriority,
    fairnessKey: "",
    fairnessWeight: defaultWeight,
    ...(onClose.serialKey !== undefined && { serialKey: onClose.serialKey }),
    startDelayMs: 0,
    timeouts: {},
    ...(onClose.headers && { headers: onClose.headers }),
    ...(onClose.fallbackQueueName !== undefined && { fallback: { queueName: onClose.fallbackQueueName } }),
    idPolicy: "reject",
  };
}

/** What that task says about the one that closed. */
export function closedTaskRecord(
  row: TaskRow,
  queue: TaskQueue,
  closing: { readonly outcome: OutcomeRecord; readonly attempts: number; readonly context: Uint8Array | undefined },
): ClosedTaskRecord {
  const { outcome, attempts, context } = closing;
  return {
    id: row.id,
    run: row.run,
    type: row.type,
    queueName: queue.name,
    queueKind: queue.kind,
    attempts,
    outcome,
    ...(context && { context }),
  };
}
