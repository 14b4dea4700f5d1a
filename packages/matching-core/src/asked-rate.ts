/** What workers ask of a queue's rate of dispatch; the smallest one counts. */
export class AskedRates<Asker> {
  readonly #rates = new Map<Asker, number>();
  #smallest: number | undefined;

  /** Undefined: nobody asks for one. */
  get smallest(): number | undefined {
    return this.#smallest;
  }

  /** What one asks for now; undefined: nothing, or it is gone. Answers whether the smallest one is another one now. */
  set(asker: Asker, rate: number | undefined): boolean {
    const before = this.#smallest;
    const own = this.#rates.get(asker);
    if (own === rate) return false;
    if (rate === undefined) this.#rates.delete(asker);
    else this.#rates.set(asker, rate);
    // Looked for anew only where the smallest one went up or away.
    if (rate !== undefined && (before === undefined || rate <= before)) this.#smallest = rate;
    else if (own === before) this.#smallest = this.#find();
    return this.#smallest !== before;
  }

  #find(): number | undefined {
    let smallest: number | undefined;
    for (const rate of this.#rates.values()) if (smallest === undefined || rate < smallest) smallest = rate;
    return smallest;
  }
}
