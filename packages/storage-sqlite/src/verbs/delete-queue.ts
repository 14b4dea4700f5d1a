import { noConfig, type DeleteQueueOperation, type DeleteQueueResult } from "@tq/storage";
import { isSet } from "../queue-settings.ts";
import type { QueueState } from "../queues.ts";
import { removeClosed } from "../life.ts";
import type { Transaction } from "../transaction.ts";
import { callOf, keepAnswer, keptAnswer } from "./requests.ts";
import { endPause } from "./settings.ts";

/** How many tasks are looked at, of whatever queue, for closed ones of this: no index names them, which nothing else needs. */
const examined = 5_000;

/**
 * Removes a queue: what is set on it, and the closed tasks that it keeps. The row itself goes like that of any queue that
 * is empty, a little later.
 */
export function deleteQueue(tx: Transaction, operation: DeleteQueueOperation): DeleteQueueResult {
  const { namespace, name, kind } = operation.queue;
  const { request } = operation;
  if (tx.parts.namespaces.idOf(namespace) === undefined) {
    return { verb: "delete-queue", refused: { reason: "namespace-not-found", index: 0, subject: namespace } };
  }
  const call = callOf("delete-queue", [name, kind]);
  const kept = request === undefined ? undefined : keptAnswer(tx, request, call);
  if (kept !== undefined) {
    return "refused" in kept
      ? { verb: "delete-queue", refused: kept.refused }
      : (JSON.parse(kept.answer) as DeleteQueueResult);
  }
  const result = remove(tx, operation);
  // As long as there is more, it is the same call that goes on.
  if (request !== undefined && !("refused" in result) && !result.more) {
    keepAnswer(tx, request, call, JSON.stringify(result));
  }
  return result;
}

function remove(tx: Transaction, { queue: name, action, event, limit }: DeleteQueueOperation): DeleteQueueResult {
  const { queues, events, namespaces } = tx.parts;
  const queue = queues.find(name);
  if (queue !== undefined && (queue.open > 0 || hasDead(queue))) {
    return { verb: "delete-queue", refused: { reason: "queue-not-empty", index: 0, subject: name.name } };
  }
  const existed = event !== undefined || (queue !== undefined && holdsSomething(queue));
  if (queue !== undefined && queue.closed > 0) {
    removeSomeClosed(tx, queue, limit);
    if (queue.closed > 0) return { verb: "delete-queue", existed, more: true };
  }
  if (queue !== undefined) {
    endPause(tx, queue);
    queue.drain = undefined;
    const { hasKeyLimits, config } = queue;
    queues.configure(queue, noConfig);
    if (hasKeyLimits) {
      tx.parts.order.lanes.flush();
      tx.parts.limits.reconfigured(queue, config, tx.now);
    }
  }
  if (event !== undefined) events.setChanged(event.id, event.changed);
  else if (existed) events.add(namespaces.idOf(name.namespace) ?? 0, tx.now, action, { queue: name });
  return { verb: "delete-queue", existed, more: false };
}

function hasDead({ counts }: QueueState): boolean {
  return [...counts.values()].some((ofType) => ofType.some((one) => (one?.dead ?? 0) > 0));
}

function holdsSomething({ closed, config, pause, drain }: QueueState): boolean {
  return closed > 0 || pause !== undefined || drain !== undefined || isSet(config);
}

/** Goes on where the last call ended, and from the first task again once it came to the last. */
function removeSomeClosed(tx: Transaction, queue: QueueState, limit: number): void {
  const { tasks, numbers } = tx.parts;
  const rows = tasks.sketches(tx.now, queue.closedGoneUpTo, numbers.last, examined);
  let removed = 0;
  for (const { seq, queue: of, state } of rows) {
    if (removed === limit) return;
    queue.closedGoneUpTo = seq;
    if (of !== queue.id || state === null) continue;
    removeClosed(tx, tasks.row(seq));
    removed += 1;
    if (queue.closed === 0) break;
  }
  if (rows.length < examined || queue.closed === 0) queue.closedGoneUpTo = 0;
}
