import { Dealer, type ClaimOutcome } from "@tq/matching-core";
import type { ClaimOrder, DispatchedTask } from "@tq/storage";
import { dispatched, dispatchedBytes } from "../dispatch.ts";
import type { TaskOptions } from "../columns.ts";
import { claim, type Candidate, type Taken } from "../order/claim.ts";
import { isOverdue, timeOutWaiting } from "../overdue.ts";
import type { QueueState } from "../queues.ts";
import type { Started } from "../started-task.ts";
import { optionsOf } from "../tasks.ts";
import type { FullTaskRow } from "../task-row.ts";
import type { Transaction } from "../transaction.ts";
import { stopWaiting } from "../waiting.ts";
import { gateOf } from "./limits.ts";

const noInput = Buffer.alloc(0);

const maxKeptBytes = 4_096;

/** How many tasks past a deadline one claim passes over, so that none takes long. What is left comes with the next. */
const maxSkipped = 256;

/** Makes the claims of a plan, in order, and leases what they find to its offers. */
export function claimAll(
  tx: Transaction,
  order: ClaimOrder,
): { readonly outcomes: readonly ClaimOutcome[]; readonly granted: readonly (readonly DispatchedTask[])[] } {
  const { parts } = tx;
  const dealer = new Dealer(order.offers);
  const granted: DispatchedTask[][] = order.offers.map(() => []);
  // Past a deadline, and met before the timer was: they are seen to once nothing reads the order any more.
  const overdue = new Set<number>();
  const outcomes = order.claims.map(({ queue: name, types, offers, askedRate }): ClaimOutcome => {
    const queue = parts.queues.find(name);
    if (queue === undefined) return { dry: true };
    const gate = gateOf(tx, queue, askedRate);
    const closed = gate?.closedUntil();
    if (closed !== undefined) return closedOutcome(closed);
    const most = overdue.size + maxSkipped;
    const take = (task: Candidate): Taken => {
      if (gate?.closedUntil() !== undefined) return "ended";
      const row = parts.tasks.full(task.seq);
      const options = optionsOf(row, queue);
      if (isOverdue(options, row, task.since, tx.now)) {
        if (overdue.size >= most) return "ended";
        overdue.add(task.seq);
        return "skipped";
      }
      const offer = dealer.deal(offers, dispatchedBytes(row));
      const to = offer === undefined ? undefined : order.offers[offer];
      if (offer === undefined || to === undefined) return "ended";
      const { leaseMs } = to;
      const granting = { leaseNo: parts.numbers.next(), leaseMs, startedAt: tx.now };
      const delivery = dispatched(row, queue, options, granting);
      // Each field by its name: an object that begins as a copy grows by reallocation.
      const lease: Started = {
        leaseNo: granting.leaseNo,
        leaseMs,
        startedAt: tx.now,
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
        closeAt: delivery.scheduleToCloseAt,
        cancel: undefined,
        heartbeatAt: tx.now,
        hasDetails: false,
        graceUntil: 0,
        leaseUntil: tx.now + leaseMs,
        delivery: undefined,
        row: isSmall(row) ? row : undefined,
      };
      granted[offer]?.push(delivery);
      row.input = noInput;
      row.closed_task = null;
      start(tx, queue, lease, options, to);
      gate?.dispatched(task.key);
      return "taken";
    };
    const placed = parts.queues.placed.bind(parts.queues, queue);
    const dry = claim(parts.order, queue, types, dealer.capacity(offers), placed, take, gate?.keys);
    const closedNow = gate?.closedUntil();
    return closedNow === undefined ? { dry } : closedOutcome(closedNow);
  });
  order.offers.forEach(({ confirmMs }, i) => {
    const leases = confirmMs === undefined ? [] : (granted[i] ?? []).map(({ lease }) => lease);
    if (confirmMs !== undefined && leases.length > 0) parts.unconfirmed.add(leases, confirmMs);
  });
  for (const seq of overdue) timeOutWaiting(tx, parts.tasks.row(seq));
  return { outcomes, granted };
}

/** What a started task holds in memory. What is larger is read again when it is answered. */
function isSmall({ history, heartbeat, options }: FullTaskRow): boolean {
  return (history?.length ?? 0) + (heartbeat?.length ?? 0) + (options?.length ?? 0) <= maxKeptBytes;
}

function closedOutcome(until: number): ClaimOutcome {
  return until === Infinity ? { dry: true } : { dry: true, until };
}

function start(tx: Transaction, queue: QueueState, lease: Started, options: TaskOptions, offer: object): void {
  const { ages, queues, started, timers } = tx.parts;
  started.add(lease, offer);
  queues.bump(queue, lease.type, lease.priority, "ready", -1);
  queues.bump(queue, lease.type, lease.priority, "started", 1);
  ages.bump(queue, lease.since, -1);
  stopWaiting(tx, queue, lease.seq, options, lease.since);
  // From here on it is a deadline of the lease: see started.ts.
  if (lease.closeAt !== undefined) timers.clear("close", lease.closeAt, lease.seq);
}
