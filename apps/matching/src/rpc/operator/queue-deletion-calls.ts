import type { ServiceImpl } from "@connectrpc/connect";
import type { TaskQueue } from "@tq/matching-core";
import { DeleteTaskQueueRequestSchema, type BulkProgress, type OperatorService } from "@tq/proto";
import type { BulkProgressRecord, EventSoFar } from "@tq/storage";
import { CallRefused } from "../../errors/call-refused.ts";
import { readAction, type ReadAction } from "../../translation/action.ts";
import { partOfRequest } from "../../translation/request-key.ts";
import { readTaskQueue } from "../../translation/task-queue.ts";
import { Violations } from "../../validation/violations.ts";
import { changeTasks, toProgressMessage } from "./bulk.ts";
import { orThrow, type OperatorContext } from "./operator-context.ts";

/** How many closed tasks one commit removes with their queue. */
const removedAtOnce = 1_000;
/** How often a queue is purged to which tasks were added meanwhile: a drain does not refuse what is added on close. */
const purgesAtMost = 10;

interface Deletion {
  readonly queue: TaskQueue;
  readonly read: ReadAction;
  readonly silent: boolean;
  readonly signal: AbortSignal;
}

/** Removing queues. */
export function queueDeletionCalls(
  services: OperatorContext,
): Pick<ServiceImpl<typeof OperatorService>, "deleteTaskQueue"> {
  const { matching, namespaces } = services;
  return {
    async *deleteTaskQueue(request, { signal }): AsyncGenerator<{ readonly progress: BulkProgress }> {
      const namespace = await namespaces.of(request);
      const violations = new Violations();
      const queue = readTaskQueue(request.taskQueue, namespace, "named", "task_queue", violations);
      const read = readAction(DeleteTaskQueueRequestSchema, request, namespace, violations);
      const deletion = { queue, read, silent: request.silent, signal };
      if (request.purge) {
        yield* purgeAndRemove(services, deletion);
        return;
      }
      const isPolled = matching.workersOf(namespace, queue).length > 0;
      if (isPolled || !(await remove(services, deletion))) {
        throw new CallRefused("TASK_QUEUE_NOT_EMPTY", { subject: queue.name });
      }
      yield { progress: toProgressMessage({ examined: 0, changed: 0, skipped: 0 }, true) };
    },
  };
}

/** Drains the queue, so that nothing new comes; purges it, chunk by chunk; removes it. All of it leaves one event. */
async function* purgeAndRemove(
  services: OperatorContext,
  deletion: Deletion,
): AsyncGenerator<{ readonly progress: BulkProgress }> {
  const { queue, read, silent, signal } = deletion;
  const { namespace, name: queueName, kind: queueKind } = queue;
  const { event: id } = orThrow(
    await services.matching.operate({ verb: "drain", queue, ...partOfRequest(read, "drain") }),
  );
  let total: BulkProgressRecord = { examined: 0, changed: 0, skipped: 0 };
  for (let round = 0; round < purgesAtMost; round++) {
    const before = total;
    const purge = {
      namespace,
      filter: { queueName, queueKind },
      dryRun: false,
      change: { kind: "purge", silent },
      event: { id, changed: before.changed },
      ...partOfRequest(read, `purge ${round}`),
    } as const;
    for await (const { progress } of changeTasks(services, purge, signal)) {
      total = sum(before, progress);
      yield { progress: toProgressMessage(total, false) };
    }
    if (signal.aborted) return;
    if (!(await remove(services, deletion, { id, changed: total.changed }))) continue;
    yield { progress: toProgressMessage(total, true) };
    return;
  }
  throw new CallRefused("TASK_QUEUE_NOT_EMPTY", { subject: queueName });
}

/** Answers whether it is gone; it is not if it has open or dead tasks. */
async function remove(
  { matching }: OperatorContext,
  { queue, read, signal }: Deletion,
  event?: EventSoFar,
): Promise<boolean> {
  for (let more = true; more && !signal.aborted;) {
    const result = await matching.operate({
      verb: "delete-queue",
      queue,
      ...(event && { event }),
      limit: removedAtOnce,
      // One id for all chunks: the answer is kept with the last one.
      ...partOfRequest(read, "delete"),
    });
    if ("refused" in result && result.refused.reason === "queue-not-empty") return false;
    more = orThrow(result).more;
  }
  return true;
}

function sum(a: BulkProgressRecord, b: BulkProgressRecord): BulkProgressRecord {
  return { examined: a.examined + b.examined, changed: a.changed + b.changed, skipped: a.skipped + b.skipped };
}
