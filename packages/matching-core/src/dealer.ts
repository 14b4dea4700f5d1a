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
 * Deals claimed tasks out to offers, one by one and in turn, so that workers who wait for the same tasks get the same
 * number of them. An offer is full when its slots or its bytes are used up; slots that two queues share are counted once.
 */
export class Dealer {
  readonly #slotsLeft: number[];
  readonly #bytesLeft: number[];
  readonly #dealt: number[];
  /** Where the turn stands: the offer that was dealt to last. */
  #turn = -1;

  constructor(offers: readonly Offer[]) {
    this.#slotsLeft = offers.map((offer) => offer.slots);
    this.#bytesLeft = offers.map((offer) => offer.maxBytes);
    this.#dealt = offers.map(() => 0);
  }

  /** How many tasks these offers can still take. */
  capacity(among: readonly number[]): number {
    return among.reduce((sum, offer) => sum + (this.#slotsLeft[offer] ?? 0), 0);
  }

  /** The offer that a task of so many bytes goes to, and takes it off; undefined if all are full. */
  deal(among: readonly number[], bytes: number): number | undefined {
    // Offers come in ascending order; the turn goes to the first one after the last dealt, then around.
    const after = among.findIndex((offer) => offer > this.#turn);
    const start = after === -1 ? 0 : after;
    for (let i = 0; i < among.length; i++) {
      const offer = among[(start + i) % among.length];
      if (offer === undefined || !this.#takes(offer, bytes)) continue;
      this.#slotsLeft[offer] = (this.#slotsLeft[offer] ?? 0) - 1;
      this.#bytesLeft[offer] = (this.#bytesLeft[offer] ?? 0) - bytes;
      this.#dealt[offer] = (this.#dealt[offer] ?? 0) + 1;
      this.#turn = offer;
      return offer;
    }
    return undefined;
  }

  #takes(offer: number, bytes: number): boolean {
    const empty = this.#dealt[offer] === 0;
    return (this.#slotsLeft[offer] ?? 0) > 0 && (empty || bytes <= (this.#bytesLeft[offer] ?? 0));
  }
}
