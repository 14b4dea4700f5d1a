/** Counts the tasks whose handlers have begun, and tells when there are enough. */
export class Tally {
  #handled = 0;
  #target = Infinity;
  #reached = Promise.withResolvers<void>();
  /** Called with each payload besides counting it. */
  onTask: (payload: string) => void = () => {};

  /** Tasks handled so far. */
  get handled(): number {
    return this.#handled;
  }

  /** For the adapter's worker. */
  readonly handler = (payload: string): void => {
    this.onTask(payload);
    if (++this.#handled === this.#target) this.#reached.resolve();
  };

  /** Resolves once so many were handled in all, or the time is over. One at a time may wait. */
  async until(target: number, limitMs: number): Promise<void> {
    if (this.#handled >= target) return;
    this.#target = target;
    this.#reached = Promise.withResolvers<void>();
    const timer = setTimeout(this.#reached.resolve, limitMs);
    await this.#reached.promise;
    clearTimeout(timer);
    this.#target = Infinity;
  }
}
