import type { RenewLeasesResponse } from "@tq/proto";
import { tokenKey } from "./held-task.ts";
import type { HeldLease } from "./holdings.ts";
import type { RenewalNews } from "./renewal-messages.ts";

/** One lease that is kept. */
export interface Lease {
  readonly key: string;
  readonly token: Uint8Array;
  /** Type of the task. */
  readonly type: string;
  /** Since when it is to be kept, in milliseconds since the epoch: its arrival, or that its answer was refused. */
  readonly atMs: number;
  isCancelTold: boolean;
  /** Its answer is on its way. */
  isAnswering: boolean;
}

/** The leases that are kept, as the renewal knows them. */
export class LeaseSet {
  readonly #report: (news: RenewalNews) => void;
  readonly #look: () => void;
  readonly #leases = new Map<string, Lease>();
  readonly #onAdded: ((atMs: number) => void)[] = [];
  /** By key: cancel requests of the last answer for deliveries that are still on their way, or whose answer is. */
  #early = new Map<string, string>();

  /** @param look looks what has changed, before the news of an answer are passed on */
  constructor(report: (news: RenewalNews) => void, look: () => void) {
    this.#report = report;
    this.#look = look;
  }

  get size(): number {
    return this.#leases.size;
  }

  [Symbol.iterator](): IterableIterator<Lease> {
    return this.#leases.values();
  }

  get(key: string): Lease | undefined {
    return this.#leases.get(key);
  }

  add(leases: readonly HeldLease[], atMs: number): void {
    for (const { key, type } of leases) {
      const token = Buffer.from(key, "latin1");
      this.#leases.set(key, { key, token, type, atMs, isCancelTold: false, isAnswering: false });
      const reason = this.#early.get(key);
      if (reason !== undefined) this.#tellOfCancel(key, reason);
    }
    if (leases.length > 0) for (const listener of this.#onAdded) listener(atMs);
  }

  answering(key: string): void {
    const lease = this.#leases.get(key);
    if (lease !== undefined) lease.isAnswering = true;
  }

  delete(key: string): void {
    this.#leases.delete(key);
  }

  /** Called each time some are added, with when they began. */
  onAdded(listener: (atMs: number) => void): void {
    this.#onAdded.push(listener);
  }

  /** The tokens to renew. */
  tokens(): Uint8Array[] {
    return Array.from(this.#leases.values(), ({ token }) => token);
  }

  /** The types of their tasks, each with how many there are. */
  types(): string[] {
    const counts = new Map<string, number>();
    for (const { type } of this.#leases.values()) counts.set(type, (counts.get(type) ?? 0) + 1);
    return Array.from(counts, ([type, count]) => (count === 1 ? type : `${type} (${count})`));
  }

  /** Passes on what the server says about leases; answers how many it said something new about. */
  heard(response: RenewLeasesResponse): number {
    this.#look();
    let news = 0;
    const lost = response.lostTokens.map(tokenKey).filter((key) => this.#leases.delete(key));
    if (lost.length > 0) this.#report({ kind: "lost", keys: lost });
    const early = new Map<string, string>();
    for (const { token, reason } of response.cancelRequests) {
      const key = tokenKey(token);
      if (!this.#leases.has(key)) early.set(key, reason);
      else if (this.#tellOfCancel(key, reason)) news++;
    }
    this.#early = early;
    this.#report({ kind: "drain", isRequested: response.drainRequested });
    return news + lost.length;
  }

  /** Answers whether that is news. */
  #tellOfCancel(key: string, reason: string): boolean {
    const lease = this.#leases.get(key);
    if (lease === undefined || lease.isCancelTold) return false;
    lease.isCancelTold = true;
    this.#report({ kind: "cancelRequested", key, reason });
    return true;
  }
}
