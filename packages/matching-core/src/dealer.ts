/** What one waiting poll offers: its free slots, shared by all its queues. */
export interface Offer {
  /** The worker's session that the leases will belong to. */
  readonly workerId: string;
  /** Of the worker's making; empty if the poll cannot be repeated. */
  readonly pollId: string;
  readonly leaseMs: number;
  /** How long the worker has for mentioning what it gets; undefined: the lease alone counts. */
  readonly confirmMs?: number;
  /** The most tasks it takes. */
  readonly slots: number;
  /** The most bytes of tasks it takes. One task goes through even if it is larger. */
  readonly maxBytes: number;
}

/**
 * Deals the tasks that one commit claims out to offers, one by one and to each worker in turn, so that workers who wait for the
 * same tasks get the same number of them, however many polls each has open. Of one worker's offers the first is filled before
 * the next: a few tasks are then one answer and one more poll, and the other poll goes on waiting. An offer is full when its
 * slots or its bytes are used up; slots that two queues share are counted once.
 */
export class Dealer {
  /**
   * The number of each offer's worker, in the order in which they first come. Of two namespaces those with the same id count as
   * one: no claim has offers of both.
   */
  readonly #workers: readonly number[];
  readonly #workerCount: number;
  readonly #slotsLeft: number[];
  readonly #bytesLeft: number[];
  readonly #dealt: number[];
  /** Where the turn stands: the worker that was dealt to last. */
  #turn = -1;

  constructor(offers: readonly Offer[]) {
    const numbers = new Map<string, number>();
    this.#workers = offers.map(({ workerId }) => {
      const number = numbers.get(workerId) ?? numbers.size;
      numbers.set(workerId, number);
      return number;
    });
    this.#workerCount = numbers.size;
    this.#slotsLeft = offers.map((offer) => offer.slots);
    this.#bytesLeft = offers.map((offer) => offer.maxBytes);
    this.#dealt = offers.map(() => 0);
  }

  /** How many tasks these offers can still take. */
  capacity(among: readonly number[]): number {
    return among.reduce((sum, offer) => sum + (this.#slotsLeft[offer] ?? 0), 0);
  }

  /** The offer that a task of so many bytes goes to, and takes it off; undefined if all are full. Offers come in ascending order. */
  deal(among: readonly number[], bytes: number): number | undefined {
    const offer = this.#next(among, bytes);
    if (offer === undefined) return undefined;
    this.#slotsLeft[offer] = (this.#slotsLeft[offer] ?? 0) - 1;
    this.#bytesLeft[offer] = (this.#bytesLeft[offer] ?? 0) - bytes;
    this.#dealt[offer] = (this.#dealt[offer] ?? 0) + 1;
    this.#turn = this.#workers[offer] ?? 0;
    return offer;
  }

  /** The first offer with room of the worker who is next in turn and has one. */
  #next(among: readonly number[], bytes: number): number | undefined {
    let next: number | undefined;
    let fewest = Infinity;
    for (const offer of among) {
      if (!this.#takes(offer, bytes)) continue;
      const before = this.#workersBefore(offer);
      if (before >= fewest) continue;
      next = offer;
      fewest = before;
      if (fewest === 0) break;
    }
    return next;
  }

  /** How many workers are in turn before this offer's. */
  #workersBefore(offer: number): number {
    return ((this.#workers[offer] ?? 0) - this.#turn - 1 + this.#workerCount) % this.#workerCount;
  }

  #takes(offer: number, bytes: number): boolean {
    const empty = this.#dealt[offer] === 0;
    return (this.#slotsLeft[offer] ?? 0) > 0 && (empty || bytes <= (this.#bytesLeft[offer] ?? 0));
  }
}
