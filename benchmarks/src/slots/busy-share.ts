/** How full something with room for `capacity` was, weighted by time. */
export class BusyShare {
  readonly #capacity: number;
  readonly #now: () => number;
  #level = 0;
  #changedAtMs: number;
  #area = 0;
  #beganAtMs: number;
  #highest = 0;

  constructor(capacity: number, now: () => number) {
    this.#capacity = capacity;
    this.#now = now;
    this.#changedAtMs = now();
    this.#beganAtMs = this.#changedAtMs;
  }

  get level(): number {
    return this.#level;
  }

  /** The highest level since it began. */
  get highest(): number {
    return this.#highest;
  }

  /** It is filled so far from now on. */
  set(level: number): void {
    const nowMs = this.#now();
    this.#area += this.#level * (nowMs - this.#changedAtMs);
    this.#changedAtMs = nowMs;
    this.#level = level;
    this.#highest = Math.max(this.#highest, level);
  }

  /** Begins anew, as filled as it is. */
  restart(): void {
    this.set(this.#level);
    this.#beganAtMs = this.#changedAtMs;
    this.#area = 0;
  }

  /** From 0 to 1, since it began. */
  share(): number {
    this.set(this.#level);
    const elapsedMs = this.#changedAtMs - this.#beganAtMs;
    return elapsedMs === 0 ? 0 : this.#area / elapsedMs / this.#capacity;
  }
}
