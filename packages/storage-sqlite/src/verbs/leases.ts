import type {
  CancelNotice,
  ConfirmOperation,
  ConfirmResult,
  RenewOperation,
  RenewResult,
  RepollOperation,
  RepollResult,
  ReturnOperation,
  ReturnResult,
} from "@tq/storage";
import { dispatched, dispatchedBytes } from "../dispatch.ts";
import { returnTask } from "../life.ts";
import type { Started } from "../started-task.ts";
import { optionsOf } from "../tasks.ts";
import type { Transaction } from "../transaction.ts";

/** Renews the leases that a worker names. Nothing is written, but for heartbeats: see started.ts. */
export function renew(tx: Transaction, operation: RenewOperation): RenewResult {
  const { parts, now } = tx;
  const namespaceId = parts.namespaces.idOf(operation.namespace);
  const own = (lease: RenewOperation["leases"][number]) => {
    const task = parts.started.current(lease);
    if (task === undefined || task.namespaceId !== namespaceId) return undefined;
    return operation.workerId === undefined || task.workerId === operation.workerId ? task : undefined;
  };
  const lost: RenewOperation["leases"][number][] = [];
  const queueIds = new Set<number>();
  const named = new Set<Started>();
  for (const lease of operation.leases) {
    const task = own(lease);
    if (task === undefined) {
      lost.push(lease);
      continue;
    }
    parts.started.renew(task, now);
    queueIds.add(task.queueId);
    named.add(task);
  }
  if (operation.workerId !== undefined && namespaceId !== undefined) {
    for (const pollId of operation.pollIds ?? [])
      for (const task of parts.started.ofPoll(namespaceId, operation.workerId, pollId)) parts.started.renew(task, now);
  }
  for (const { lease, details } of operation.heartbeats) {
    const task = own(lease);
    if (task !== undefined) parts.started.heartbeat(task, details, now);
  }
  const cancels: CancelNotice[] = [];
  for (const task of parts.started.toCancel()) {
    const { namespaceId: of, workerId, seq, leaseNo, cancel } = task;
    // A worker hears of all of its tasks: it may not have known of one yet when it made a call that is held open.
    const isTold =
      operation.workerId === undefined ? named.has(task) : of === namespaceId && workerId === operation.workerId;
    if (isTold && cancel !== undefined)
      cancels.push({ lease: { seq, leaseNo }, reason: cancel.reason, requestedAt: cancel.at });
  }
  const queues = [...queueIds].map((id) => parts.queues.byId(id).queue);
  return { verb: "renew", lost, cancels, queues };
}

/** Gives deliveries back that reached nobody. */
export function giveBack(tx: Transaction, operation: ReturnOperation): ReturnResult {
  const { namespaces, started } = tx.parts;
  let returned = 0;
  for (const lease of operation.leases) {
    const task = started.current(lease);
    if (task === undefined) continue;
    // It may have them after all, and only be slow to say so.
    if (operation.why === "unconfirmed") tx.notify(namespaces.nameOf(task.namespaceId), task.workerId);
    returnTask(tx, task, operation.why);
    returned += 1;
  }
  return { verb: "return", returned };
}

/** Remembers what of deliveries is left to be confirmed. */
export function confirm({ parts }: Transaction, { deliveries }: ConfirmOperation): ConfirmResult {
  for (const { delivery, left } of deliveries) parts.unconfirmed.setLeft(delivery, left);
  return { verb: "confirm" };
}

/** Answers a repeated poll with what it was given and still has. */
export function repoll(tx: Transaction, operation: RepollOperation): RepollResult {
  const { parts, now } = tx;
  const namespaceId = parts.namespaces.idOf(operation.namespace);
  if (namespaceId === undefined) return { verb: "repoll", tasks: [] };
  let bytesLeft = operation.maxBytes;
  const tasks: RepollResult["tasks"][number][] = [];
  for (const task of parts.started.ofPoll(namespaceId, operation.workerId, operation.pollId)) {
    const row = parts.tasks.full(task.seq);
    bytesLeft -= dispatchedBytes(row);
    if (bytesLeft < 0 && tasks.length > 0) break;
    // It is the worker's from now: what it was granted went nowhere.
    parts.started.renew(task, now);
    const queue = parts.queues.byId(task.queueId);
    tasks.push(dispatched(row, queue, optionsOf(row, queue), task));
  }
  if (operation.confirmMs !== undefined) {
    const leases = tasks.map(({ lease }) => lease);
    parts.unconfirmed.add(leases, operation.confirmMs);
  }
  return { verb: "repoll", tasks };
}
