import { ChurnMap, Deadlines, type LeaseRef } from "@tq/matching-core";
import type { ConfirmOperation, Operation, UnconfirmedDelivery } from "@tq/storage";

/** How many deliveries are gone through to find which of them a call may mean. */
const mostUnindexed = 64;

/** What one poll was given, until its worker has mentioned it. */
interface Delivery {
  /** Its first lease number, by which the store knows it. */
  readonly number: number;
  readonly key: string | undefined;
  /** All that it began with. */
  readonly leases: readonly LeaseRef[];
  /** The smallest of their numbers. */
  readonly least: number;
  /** How many of them were not mentioned. */
  left: number;
}

/**
 * Deliveries that their workers have not mentioned yet, for polls that asked for it (`confirm_within`). What is mentioned,
 * or has come back, is told to the store, which keeps the others over a restart: then they have their whole time again.
 */
export class Confirmations {
  readonly #byPoll = new ChurnMap<string, Delivery>();
  /** By lease number of what was not mentioned: no two deliveries of a task have the same. */
  readonly #byLease = new ChurnMap<number, Delivery>();
  /**
   * By their numbers, those that cannot be found by it yet; and what none of their lease numbers is below. Nearly all are
   * mentioned by their poll, and what a worker answers was given to it before what is on its way, so has smaller numbers.
   */
  readonly #unindexed = new ChurnMap<number, Delivery>();
  #leastUnindexed = Infinity;
  readonly #deadlines = new Deadlines<Delivery>();
  /** What the store is to be told, by delivery: which of its leases are left. */
  #toTell = new Map<number, () => readonly LeaseRef[]>();

  /** Whether there is something that the store does not know yet. */
  get isAheadOfStore(): boolean {
    return this.#toTell.size > 0;
  }

  /** The server has started, and found these. `keyOf`: names a poll that has an id. */
  start(found: readonly UnconfirmedDelivery[], keyOf: (delivery: UnconfirmedDelivery) => string, now: number): void {
    for (const delivery of found) {
      const key = delivery.pollId === "" ? undefined : keyOf(delivery);
      this.#watch(delivery.delivery, key, delivery.leases, now + delivery.confirmMs);
    }
    // Two of them may hold one lease, if a crash came between a repeated poll and the end of what it had before: it is the later one's.
    this.#index(Infinity);
  }

  /** A poll was answered with these, and the store knows of it. `pollKey`: undefined for a poll without an id. */
  expect(pollKey: string | undefined, leases: readonly LeaseRef[], until: number): void {
    const [first] = leases;
    if (first === undefined) return;
    if (pollKey !== undefined) this.confirmPoll(pollKey);
    // It is told of anew: a poll was repeated that begins with the same task.
    this.#toTell.delete(first.leaseNo);
    this.#watch(first.leaseNo, pollKey, leases, until);
  }

  /** The worker says that the answer to this poll has arrived. */
  confirmPoll(pollKey: string): void {
    const delivery = this.#byPoll.get(pollKey);
    if (delivery !== undefined) this.#end(delivery);
  }

  /** The worker mentioned these. */
  confirm(leases: readonly LeaseRef[]): void {
    let greatest = 0;
    for (const { leaseNo } of leases) if (leaseNo > greatest) greatest = leaseNo;
    if (greatest >= this.#leastUnindexed) this.#index(greatest);
    if (this.#byLease.size === 0) return;
    for (const { leaseNo } of leases) {
      const delivery = this.#byLease.get(leaseNo);
      if (delivery === undefined) continue;
      this.#byLease.delete(leaseNo);
      delivery.left -= 1;
      if (delivery.left === 0) this.#end(delivery);
      else this.#toTell.set(delivery.number, () => this.#leftOf(delivery));
    }
  }

  /** Takes out what was not mentioned in time. */
  takeOverdue(now: number): LeaseRef[] {
    const overdue: LeaseRef[] = [];
    for (const delivery of this.#deadlines.takeDue(now)) {
      overdue.push(...this.#leftOf(delivery));
      this.#end(delivery);
    }
    return overdue;
  }

  /** Takes out what the store is to be told, for a commit. */
  takeToTell(): readonly ConfirmOperation[] {
    if (this.#toTell.size === 0) return [];
    const deliveries = [...this.#toTell].map(([delivery, left]) => ({ delivery, left: left() }));
    this.#toTell = new Map();
    return [{ verb: "confirm", deliveries }];
  }

  /** The commit of these failed: the store is to be told again, unless more is known by now. */
  putBack(operations: readonly Operation[]): void {
    for (const operation of operations) {
      if (operation.verb !== "confirm") continue;
      for (const { delivery, left } of operation.deliveries) {
        if (!this.#toTell.has(delivery)) this.#toTell.set(delivery, () => left);
      }
    }
  }

  /** When it wants to be woken, at the latest. */
  nextWake(): number | undefined {
    return this.#deadlines.next();
  }

  #watch(number: number, key: string | undefined, leases: readonly LeaseRef[], until: number): void {
    let least = Infinity;
    for (const { leaseNo } of leases) if (leaseNo < least) least = leaseNo;
    const delivery: Delivery = { number, key, leases, least, left: leases.length };
    if (key !== undefined) this.#byPoll.set(key, delivery);
    this.#unindexed.set(number, delivery);
    this.#leastUnindexed = Math.min(this.#leastUnindexed, least);
    this.#deadlines.set(delivery, until);
  }

  /** Lets those be found by their leases that have one up to this number; all of them where there are too many to look. */
  #index(greatest: number): void {
    const upTo = this.#unindexed.size > mostUnindexed ? Infinity : greatest;
    let leastLeft = Infinity;
    for (const delivery of this.#unindexed.values()) {
      if (delivery.least > upTo) {
        leastLeft = Math.min(leastLeft, delivery.least);
        continue;
      }
      for (const { leaseNo } of delivery.leases) this.#byLease.set(leaseNo, delivery);
      this.#unindexed.delete(delivery.number);
    }
    this.#leastUnindexed = leastLeft;
  }

  /** Which of its leases were not mentioned. */
  #leftOf(delivery: Delivery): readonly LeaseRef[] {
    if (this.#unindexed.get(delivery.number) === delivery) return delivery.leases;
    return delivery.leases.filter(({ leaseNo }) => this.#byLease.get(leaseNo) === delivery);
  }

  /** Nothing of it is waited for any more. */
  #end(delivery: Delivery): void {
    const { key, number } = delivery;
    if (key !== undefined && this.#byPoll.get(key) === delivery) this.#byPoll.delete(key);
    this.#deadlines.delete(delivery);
    if (this.#unindexed.get(number) === delivery) this.#unindexed.delete(number);
    else if (delivery.left > 0) for (const { leaseNo } of this.#leftOf(delivery)) this.#byLease.delete(leaseNo);
    this.#toTell.set(number, () => []);
  }
}
