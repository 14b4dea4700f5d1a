import { Dealer, type ClaimOutcome } from "@tq/matching-core";
import type { ClaimOrder, DispatchedTask } from "@tq/storage";
import { dispatched, dispatchedBytes } from "../dispatch.ts";
import { claim, type Candidate } from "../order/claim.ts";
import type { QueueState } from "../queues.ts";
import type { Started } from "../started.ts";
import type { Transaction } from "../transaction.ts";

const noInput = Buffer.alloc(0);

/** Makes the claims of a plan, in order, and leases what they find to its offers. */
export function claimAll(
  tx: Transaction,
  order: ClaimOrder,
): { readonly outcomes: readonly ClaimOutcome[]; readonly granted: readonly (readonly DispatchedTask[])[] } {
  const { parts } = tx;
  const dealer = new Dealer(order.offers);
  const granted: DispatchedTask[][] = order.offers.map(() => []);
  const outcomes = order.claims.map(({ queue: name, types, offers }): ClaimOutcome => {
    const queue = parts.queues.find(name);
    if (queue === undefined) return { dry: true };
    const take = (task: Candidate): boolean => {
      const row = parts.tasks.full(task.seq);
      const offer = dealer.deal(offers, dispatchedBytes(row));
      const to = offer === undefined ? undefined : order.offers[offer];
      if (offer === undefined || to === undefined) return false;
      const granting = { leaseNo: parts.numbers.next(), leaseMs: to.leaseMs, startedAt: tx.now };
      const delivery = dispatched(row, queue, granting);
      const lease: Started = {
        ...granting,
        seq: task.seq,
        workerId: to.workerId,
        pollId: to.pollId,
        pass: task.pass,
        place: task.place,
        since: task.since,
        namespaceId: queue.namespaceId,
        queueId: queue.id,
        type: task.type,
        priority: task.priority,
        key: task.key,
        weight: task.weight,
        startToCloseMs: row.start_to_close_ms,
        heartbeatMs: delivery.timeouts.heartbeatMs,
        cancel: undefined,
        heartbeatAt: tx.now,
        hasDetails: false,
        graceUntil: 0,
        leaseUntil: tx.now + to.leaseMs,
        row,
      };
      granted[offer]?.push(delivery);
      row.input = noInput;
      start(tx, queue, lease);
      return true;
    };
    const placed = parts.queues.placed.bind(parts.queues, queue);
    return { dry: claim(parts.order, queue, types, dealer.capacity(offers), placed, take) };
  });
  return { outcomes, granted };
}

function start(tx: Transaction, queue: QueueState, lease: Started): void {
  const { ages, queues, started } = tx.parts;
  started.add(lease);
  queues.bump(queue, lease.type, lease.priority, "ready", -1);
  queues.bump(queue, lease.type, lease.priority, "started", 1);
  ages.bump(queue, lease.since, -1);
}
