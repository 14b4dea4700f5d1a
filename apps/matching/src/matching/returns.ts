import type { LeaseRef } from "@tq/matching-core";
import type { Operation, ReturnOperation } from "@tq/storage";

type Why = ReturnOperation["why"];

/**
 * Deliveries that reached nobody, until it is on disk that they went back. A commit that fails loses none: they are
 * tried again with the next one.
 */
export class Returns {
  readonly #waiting = new Map<Why, LeaseRef[]>();

  get isEmpty(): boolean {
    return this.#waiting.size === 0;
  }

  add(leases: readonly LeaseRef[], why: Why): void {
    if (leases.length === 0) return;
    const waiting = this.#waiting.get(why);
    if (waiting === undefined) this.#waiting.set(why, [...leases]);
    else waiting.push(...leases);
  }

  /** Takes them out, for a commit. */
  take(): readonly ReturnOperation[] {
    const operations = [...this.#waiting].map(([why, leases]): ReturnOperation => ({ verb: "return", leases, why }));
    this.#waiting.clear();
    return operations;
  }

  /** The commit of these failed. */
  putBack(operations: readonly Operation[]): void {
    for (const operation of operations) if (operation.verb === "return") this.add(operation.leases, operation.why);
  }
}
