/** The earliest of some times that a table has, asked for after each commit: it is looked up only where that is not known. */
export class Soonest {
  readonly #find: () => number | undefined;
  #at: number | undefined;
  #isKnown = false;

  /** @param find looks it up */
  constructor(find: () => number | undefined) {
    this.#find = find;
  }

  get(): number | undefined {
    if (!this.#isKnown) {
      this.#at = this.#find();
      this.#isKnown = true;
    }
    return this.#at;
  }

  added(at: number): void {
    if (this.#at === undefined || at < this.#at) this.#at = at;
  }

  removed(at: number): void {
    if (at === this.#at) this.forget();
  }

  /** Looks it up when it is next asked for. */
  forget(): void {
    this.#at = undefined;
    this.#isKnown = false;
  }
}
