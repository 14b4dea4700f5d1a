import type { CancelOperation, CancelResult, CancelStatus } from "@tq/storage";
import { canceled, closeStarted, closeWaiting } from "../life.ts";
import type { Transaction } from "../transaction.ts";
import { once } from "./requests.ts";

/** Cancels tasks by id. */
export function cancel(tx: Transaction, operation: CancelOperation): CancelResult {
  return once<CancelOperation>(
    tx,
    "cancel",
    operation.request,
    () => operation.ids,
    () => ({
      verb: "cancel",
      statuses: operation.ids.map((id) => cancelOne(tx, operation.namespace, id, operation.reason, operation.force)),
    }),
    (refused) => ({ verb: "cancel", refused }),
  );
}

/** Closes a waiting task at once; tells the worker of a started one, or with `force` takes it away. */
export function cancelOne(
  tx: Transaction,
  namespace: string,
  id: string,
  reason: string,
  force: boolean,
): CancelStatus {
  const { parts, now } = tx;
  const namespaceId = parts.namespaces.idOf(namespace);
  const holder = namespaceId === undefined ? undefined : parts.tasks.holder(namespaceId, id);
  if (holder === undefined) return "not-found";
  if (holder.state !== null) return "already-closed";
  const started = parts.started.get(holder.seq);
  const row = parts.tasks.row(holder.seq);
  if (started === undefined) {
    closeWaiting(tx, row, "canceled", { failure: canceled(reason) });
    return "canceled";
  }
  tx.notify(namespace, started.workerId);
  if (force) {
    const { attempts, answered, history } = row;
    closeStarted(tx, started, "canceled", { failure: canceled(reason) }, { attempts, answered, history });
    return "canceled";
  }
  if (started.cancel === undefined) parts.started.askCancel(started, reason, now);
  return "requested";
}
