import type { DrainWorkerOperation, DrainWorkerResult } from "@tq/storage";
import type { Transaction } from "../transaction.ts";
import { once } from "./requests.ts";

/** Remembers that a worker is to take nothing new. */
export function drainWorker(tx: Transaction, operation: DrainWorkerOperation): DrainWorkerResult {
  const { namespace, workerId, action, request } = operation;
  const { drainedWorkers, events, namespaces } = tx.parts;
  const namespaceId = namespaces.idOf(namespace);
  if (namespaceId === undefined) {
    return { verb: "drain-worker", refused: { reason: "namespace-not-found", index: 0, subject: namespace } };
  }
  return once<DrainWorkerOperation>(
    tx,
    "drain-worker",
    request,
    () => [workerId],
    () => {
      drainedWorkers.add(namespaceId, workerId, tx.now);
      events.add(namespaceId, tx.now, action, { workerId });
      return { verb: "drain-worker" };
    },
    (refused) => ({ verb: "drain-worker", refused }),
  );
}
