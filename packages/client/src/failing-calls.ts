import type { Clock } from "./clock.ts";

/** Which calls fail just now, and since when the first of them did: for whoever says so once, and once that it is over. */
export class FailingCalls {
  readonly #clock: Clock;
  readonly #failing = new Set<string>();
  #sinceMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** True while some call fails. */
  get isAway(): boolean {
    return this.#failing.size > 0;
  }

  /** A call fails. Answers whether it is the first that does. */
  failed(call: string): boolean {
    const isFirst = !this.isAway;
    this.#failing.add(call);
    if (isFirst) this.#sinceMs = this.#clock.now();
    return isFirst;
  }

  /** A call fails no longer. Answers for how many seconds some did, to a tenth, if it was the last of them. */
  over(call: string): number | undefined {
    if (!this.#failing.delete(call) || this.isAway) return undefined;
    return Number(((this.#clock.now() - this.#sinceMs) / 1000).toFixed(1));
  }
}
