import { earliest } from "@tq/matching-core";
import type { Cancel, Clock, ServerTime } from "../clock.ts";

/** One timer that is set to the earliest of many moments, as often as they change. */
export class Alarm {
  readonly #clock: Clock;
  readonly #time: ServerTime;
  readonly #ring: () => void;
  #set: { readonly at: number; readonly cancel: Cancel } | undefined;

  constructor(clock: Clock, time: ServerTime, ring: () => void) {
    this.#clock = clock;
    this.#time = time;
    this.#ring = ring;
  }

  /** Rings at the earliest of these; undefined ones do not count. One that is set earlier already stays. */
  setToEarliest(...moments: readonly (number | undefined)[]): void {
    const at = earliest(...moments) ?? Infinity;
    if (this.#set !== undefined && this.#set.at <= at) return;
    this.clear();
    if (at === Infinity) return;
    const cancel = this.#clock.after(Math.max(at - this.#time.now(), 1), () => {
      this.#set = undefined;
      this.#ring();
    });
    this.#set = { at, cancel };
  }

  clear(): void {
    this.#set?.cancel();
    this.#set = undefined;
  }
}
