import { expect } from "vitest";
import { claimOrder, type Driver } from "./driver.ts";
import { chapter, type Harness } from "./harness.ts";
import { Dice } from "./random/dice.ts";
import { configure } from "./settings.ts";

const seeds = 20;
const steps = 24;
/** Enough that a key becomes heavy with some of them in the front and some behind it. */
const manyTasks = { min: 150, more: 150 };
/** No more are added while so many wait: what is checked after each commit takes its time for each of them. */
const mostWaiting = 500;

/** A fairness key, and what waits of it. */
interface Key {
  readonly name: string;
  readonly weight: number;
  readonly types: readonly string[];
  readonly waitingIds: Set<string>;
  /** Dispatches so far, each counted as a stride: 1/weight. */
  share: number;
}

/** Two keys, and since both have a backlog: how far the one was ahead of the other, at least and at most. */
interface Pair {
  readonly a: Key;
  readonly b: Key;
  low: number;
  high: number;
}

/** Fairness against its bound, with no model of how it is reached: over any window in which two keys have a backlog
 * throughout, their shares differ by at most one stride each. */
export function shares(harness: Harness): void {
  chapter("shares of fairness keys at random", harness, (test) => {
    for (let seed = 1; seed <= seeds; seed++) test(`seed ${seed}`, async (d) => new Walk(d, new Dice(seed)).run());
  });
}

class Walk {
  readonly #d: Driver;
  readonly #dice: Dice;
  readonly #keys: readonly Key[];
  readonly #pairs: readonly Pair[];
  #n = 0;

  constructor(d: Driver, dice: Dice) {
    this.#d = d;
    this.#dice = dice;
    this.#keys = Array.from({ length: 2 + dice.below(5) }, (_, i) => ({
      name: `k${i}`,
      weight: dice.once(2) ? 1 + dice.below(4) : 10 ** (6 * dice.next() - 3),
      types: ["x", "y", "z"].slice(0, 1 + dice.below(3)),
      waitingIds: new Set<string>(),
      share: 0,
    }));
    this.#pairs = this.#keys.flatMap((a, i) => this.#keys.slice(i + 1).map((b) => ({ a, b, low: NaN, high: NaN })));
  }

  async run(): Promise<void> {
    // Limits that are never reached: their keys stand in lanes from the first, which is not to be seen either.
    const limited = this.#dice.some(this.#keys).map((key) => [key.name, { maxStarted: 1_000_000 }] as const);
    if (this.#dice.once(2)) await configure(this.#d, { fairnessKeys: new Map(limited) });
    for (let i = 0; i < steps; i++) await this.#step();
  }

  async #step(): Promise<void> {
    if (this.#dice.once(5)) return this.#cancel();
    return this.#dice.once(2) ? this.#add() : this.#dispatch();
  }

  get #waiting(): number {
    return this.#keys.reduce((sum, key) => sum + key.waitingIds.size, 0);
  }

  /** Some of a key, from its front and from behind; it has not had them, so it must not pay for them. */
  async #cancel(): Promise<void> {
    const { waitingIds } = this.#dice.of(this.#keys);
    const all = [...waitingIds];
    const ids = this.#dice.once(2) ? this.#dice.some(all) : all.slice(0, this.#dice.below(all.length + 1));
    await this.#d.cancel(ids);
    for (const id of ids) waitingIds.delete(id);
    this.#look();
  }

  /** A few tasks of some keys, or so many of one that it becomes heavy. */
  async #add(): Promise<void> {
    if (this.#waiting > mostWaiting) return this.#dispatch();
    const heavy = this.#dice.once(3);
    const keys = heavy ? [this.#dice.of(this.#keys)] : this.#dice.some(this.#keys);
    const tasks = keys.flatMap((key) => {
      const count = heavy ? manyTasks.min + this.#dice.below(manyTasks.more) : this.#dice.below(40);
      return Array.from({ length: count }, () => ({
        id: `${key.name}.${this.#n++}`,
        fairnessKey: key.name,
        fairnessWeight: key.weight,
        type: this.#dice.of(key.types),
      }));
    });
    await this.#d.add(...tasks);
    for (const { id, fairnessKey } of tasks) this.#keyOf(fairnessKey).waitingIds.add(id);
    this.#look();
  }

  /** A few at a time, some answered and some not, over a crash now and then. */
  async #dispatch(): Promise<void> {
    if (this.#dice.once(8)) await this.#d.crash();
    const slots = 1 + this.#dice.below(this.#dice.once(2) ? 8 : 200);
    const { granted } = await this.#d.commit([], () => claimOrder({ slots, leaseMs: 3_600_000 }));
    const tasks = granted[0] ?? [];
    expect(tasks).toHaveLength(Math.min(slots, this.#waiting));
    for (const { id, fairnessKey } of tasks) {
      const key = this.#keyOf(fairnessKey);
      key.waitingIds.delete(id);
      key.share += 1 / key.weight;
      this.#look();
    }
    await this.#d.answers(this.#dice.some(tasks).map(({ lease }) => ({ lease, kind: "completed", commands: [] })));
  }

  #keyOf(name: string): Key {
    const key = this.#keys.find((one) => one.name === name);
    if (key === undefined) throw new Error(`nobody added a task of ${name}`);
    return key;
  }

  #look(): void {
    for (const pair of this.#pairs) {
      const { a, b } = pair;
      if (a.waitingIds.size === 0 || b.waitingIds.size === 0) {
        pair.low = pair.high = NaN;
        continue;
      }
      const ahead = a.share - b.share;
      pair.low = Number.isNaN(pair.low) ? ahead : Math.min(pair.low, ahead);
      pair.high = Number.isNaN(pair.high) ? ahead : Math.max(pair.high, ahead);
      const strides = 1 / a.weight + 1 / b.weight;
      if (pair.high - pair.low > strides * (1 + 1e-6)) {
        throw new Error(`${a.name} and ${b.name} came ${(pair.high - pair.low) / strides} times their strides apart`);
      }
    }
  }
}
