import type { ManualClock } from "./manual-clock.ts";

/**
 * A manual clock as one run of a server has it: when the run is killed, its timers go with it. Has all that a server asks
 * of a clock.
 */
export class ClockOfARun {
  readonly #clock: ManualClock;
  readonly #cancels = new Set<() => void>();
  #isCut = false;

  constructor(clock: ManualClock) {
    this.#clock = clock;
  }

  wallNow = (): number => this.#clock.wallNow();
  monotonicNow = (): number => this.#clock.monotonicNow();

  after = (delayMs: number, callback: () => void): (() => void) => {
    if (this.#isCut) return () => undefined;
    const cancel = this.#clock.after(delayMs, () => {
      this.#cancels.delete(taken);
      callback();
    });
    const taken = () => {
      this.#cancels.delete(taken);
      cancel();
    };
    this.#cancels.add(taken);
    return taken;
  };

  soon = (callback: () => void): void =>
    this.#clock.soon(() => {
      if (!this.#isCut) callback();
    });

  /** Nothing is called back any more. */
  cut(): void {
    this.#isCut = true;
    for (const cancel of this.#cancels) cancel();
  }
}
