import type { RenewLeasesResponse } from "@tq/proto";
import type { Clock } from "@tq/client";
import { type HeldTask, tokenKey } from "./held-task.ts";

/** The deliveries whose leases the worker keeps alive, by their tokens. */
export class HeldTasks {
  readonly #clock: Clock;
  readonly #tasks = new Map<string, HeldTask>();
  readonly #onAdded: (() => void)[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#tasks.size;
  }

  [Symbol.iterator](): IterableIterator<HeldTask> {
    return this.#tasks.values();
  }

  has(token: Uint8Array): boolean {
    return this.#tasks.has(tokenKey(token));
  }

  add(tasks: readonly HeldTask[]): void {
    for (const held of tasks) this.#tasks.set(held.key, held);
    for (const listener of this.#onAdded) listener();
  }

  delete(held: HeldTask): void {
    this.#tasks.delete(held.key);
  }

  /** Called each time some are added. */
  onAdded(listener: () => void): void {
    this.#onAdded.push(listener);
  }

  /** The tokens to renew. */
  tokens(): Uint8Array[] {
    return Array.from(this.#tasks.values(), ({ task }) => task.token);
  }

  /**
   * Takes in what the server says about leases; answers how many handlers heard something new. A token that is answered
   * already, or whose answer is on its way, is left alone: the answer's own status says how that went.
   */
  heard(response: RenewLeasesResponse): number {
    let news = 0;
    for (const token of response.lostTokens) {
      const held = this.#tasks.get(tokenKey(token));
      if (held?.state !== "running") continue;
      news++;
      this.delete(held);
      held.lost(this.#clock.now());
    }
    for (const { token, reason } of response.cancelRequests) {
      const held = this.#tasks.get(tokenKey(token));
      if (held === undefined || held.isCancelRequested) continue;
      news++;
      held.cancelRequested(reason);
    }
    return news;
  }
}
