import { Deadlines, type LeaseRef } from "@tq/matching-core";

/** What one poll was given, until its worker has mentioned it. */
interface Delivery {
  readonly key: string | undefined;
  readonly leases: Map<number, LeaseRef>;
}

/**
 * Deliveries that their workers have not mentioned yet, for polls that asked for it (`confirm_within`). Held in memory
 * only: after a start the lease alone counts, which ends later, never earlier.
 */
export class Confirmations {
  readonly #byPoll = new Map<string, Delivery>();
  readonly #bySeq = new Map<number, Delivery>();
  readonly #deadlines = new Deadlines<Delivery>();

  /** A poll was answered with these. `pollKey`: undefined for a poll without an id. */
  expect(pollKey: string | undefined, leases: readonly LeaseRef[], until: number): void {
    const delivery: Delivery = { key: pollKey, leases: new Map(leases.map((lease) => [lease.seq, lease])) };
    if (pollKey !== undefined) {
      this.confirmPoll(pollKey);
      this.#byPoll.set(pollKey, delivery);
    }
    for (const { seq } of leases) this.#bySeq.set(seq, delivery);
    this.#deadlines.set(delivery, until);
  }

  /** The worker says that the answer to this poll has arrived. */
  confirmPoll(pollKey: string): void {
    const delivery = this.#byPoll.get(pollKey);
    if (delivery !== undefined) this.#forget(delivery);
  }

  /** The worker mentioned these. */
  confirm(leases: Iterable<LeaseRef>): void {
    if (this.#bySeq.size === 0) return;
    for (const { seq, leaseNo } of leases) {
      const delivery = this.#bySeq.get(seq);
      // A token of an earlier delivery says nothing about this one.
      if (delivery?.leases.get(seq)?.leaseNo !== leaseNo) continue;
      this.#bySeq.delete(seq);
      delivery.leases.delete(seq);
      if (delivery.leases.size === 0) this.#forget(delivery);
    }
  }

  /** Takes out what was not mentioned in time. */
  takeOverdue(now: number): LeaseRef[] {
    const overdue: LeaseRef[] = [];
    for (const delivery of this.#deadlines.takeDue(now)) {
      overdue.push(...delivery.leases.values());
      this.#forget(delivery);
    }
    return overdue;
  }

  /** When it wants to be woken, at the latest. */
  nextWake(): number | undefined {
    return this.#deadlines.next();
  }

  #forget(delivery: Delivery): void {
    const { key } = delivery;
    if (key !== undefined && this.#byPoll.get(key) === delivery) this.#byPoll.delete(key);
    this.#deadlines.delete(delivery);
    for (const seq of delivery.leases.keys()) if (this.#bySeq.get(seq) === delivery) this.#bySeq.delete(seq);
  }
}
