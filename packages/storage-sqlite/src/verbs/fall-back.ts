import type { FallBackOperation, FallBackResult } from "@tq/storage";
import { fallBack } from "../moves.ts";
import type { Transaction } from "../transaction.ts";

/** Moves ready tasks of a queue that nobody serves to their fallbacks. */
export function fallBackAll(tx: Transaction, operation: FallBackOperation): FallBackResult {
  const { fallbacks, queues, tasks } = tx.parts;
  const queue = queues.find(operation.queue);
  if (queue === undefined) return { verb: "fall-back", moved: 0, more: false };
  const waiting = fallbacks.of(queue, operation.limit + 1);
  const moving = waiting.slice(0, operation.limit);
  // Read one by one: each that goes may let the next of its serial key take its place.
  for (const seq of moving) fallBack(tx, tasks.row(seq));
  return { verb: "fall-back", moved: moving.length, more: waiting.length > moving.length };
}
