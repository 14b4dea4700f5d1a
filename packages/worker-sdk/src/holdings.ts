// What a worker holds, as its renewal has to know it: leases to keep, polls that are open, and polls to be confirmed.

/** A delivery that is held. */
export interface HeldLease {
  /** Its token as a key. */
  readonly key: string;
  /** Type of its task. */
  readonly type: string;
}

/** Is told of each change of what a worker holds. Times are in milliseconds since the epoch. */
export interface Holdings {
  /** The leases of these are to be kept. One that is named again begins anew. */
  begun(leases: readonly HeldLease[], atMs: number): void;
  /** The answer is on its way: the lease is kept, and there is no news to hear of it. */
  answering(key: string): void;
  /** It is held no longer. */
  over(key: string): void;
  /** A poll is made. */
  polling(pollId: string): void;
  /** It was answered, or given up. */
  polled(pollId: string): void;
  /** Its answer has arrived, and is to be confirmed. */
  received(pollId: string, atMs: number): void;
  /** Some call has confirmed these. */
  confirmed(pollIds: readonly string[]): void;
}
