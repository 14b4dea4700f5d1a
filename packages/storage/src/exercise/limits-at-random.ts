import { allowedAt, arrivalAfterChange, dispatchedAt, type RateLimit } from "@tq/matching-core";
import { expect } from "vitest";
import type { LimitsRecord } from "../configuration.ts";
import { claimOrder, type Driver } from "./driver.ts";
import { chapter, type Harness } from "./harness.ts";
import { Dice } from "./random/dice.ts";
import { configure } from "./settings.ts";

const keys: readonly string[] = ["a", "b", "c", "d"];
const types: readonly string[] = ["x", "y", "z"];
const steps = 40;
const seeds = 12;

/** Limits of one queue or key, and what has been dispatched under them. */
interface Limited {
  limits: LimitsRecord;
  arrival: number;
  started: number;
}

interface Waiting {
  readonly id: string;
  readonly key: string;
  readonly type: string;
  readonly place: number;
}

/** Limits against a model of counters and a virtual schedule: nothing too early, nothing held up, nothing out of turn. */
export function limitsAtRandom(harness: Harness): void {
  chapter("limits at random", harness, (test) => {
    for (let seed = 1; seed <= seeds; seed++) test(`seed ${seed}`, (d) => new Walk(d, new Dice(seed)).run());
  });
}

class Walk {
  readonly #d: Driver;
  readonly #dice: Dice;
  readonly #queue: Limited = { limits: {}, arrival: 0, started: 0 };
  readonly #keys = new Map<string, Limited>(keys.map((key) => [key, { limits: {}, arrival: 0, started: 0 }]));
  #waiting: Waiting[] = [];
  #started: { readonly task: Waiting; readonly lease: { readonly seq: number; readonly leaseNo: number } }[] = [];
  readonly #returned = new Set<string>();
  #n = 0;

  constructor(d: Driver, dice: Dice) {
    this.#d = d;
    this.#dice = dice;
  }

  async run(): Promise<void> {
    for (let i = 0; i < steps; i++) await this.#step();
  }

  async #step(): Promise<void> {
    const dice = this.#dice;
    switch (dice.below(8)) {
      case 0:
      case 1:
        return this.#add();
      case 2:
        return this.#configure();
      case 3:
        return this.#end();
      case 4:
        this.#d.now += dice.of([1, 7, 50, 100, 333, 1_000, 5_000]);
        return this.#claim();
      case 5:
        if (dice.once(4)) await this.#d.crash(dice.below(200));
        return this.#claim();
      default:
        return this.#claim();
    }
  }

  async #add(): Promise<void> {
    const tasks = Array.from({ length: 1 + this.#dice.below(this.#dice.once(10) ? 220 : 12) }, () => {
      const task = { id: `t${this.#n}`, key: this.#dice.of(keys), type: this.#dice.of(types), place: this.#n++ };
      this.#waiting.push(task);
      return { id: task.id, fairnessKey: task.key, type: task.type };
    });
    await this.#d.add(...tasks);
  }

  async #configure(): Promise<void> {
    const some = (): LimitsRecord => ({
      ...(this.#dice.once(2) && { ratePerSecond: this.#dice.of([0.5, 3, 20, 1_000]), burst: 1 + this.#dice.below(5) }),
      ...(this.#dice.once(2) && { maxStarted: 1 + this.#dice.below(6) }),
    });
    const ofQueue = this.#dice.once(3) ? some() : {};
    const ofKeys = new Map(keys.filter(() => this.#dice.once(2)).map((key) => [key, some()]));
    this.#change(this.#queue, ofQueue);
    for (const [key, limited] of this.#keys) this.#change(limited, ofKeys.get(key) ?? {});
    const { ratePerSecond, burst, maxStarted } = ofQueue;
    await configure(this.#d, {
      fairnessKeys: ofKeys,
      ...this.#absent,
      ...(ratePerSecond !== undefined && { ratePerSecond }),
      ...(burst !== undefined && { burst }),
      ...(maxStarted !== undefined && { maxStarted }),
    });
    await this.#d.run({ verb: "promote", limit: 1_000 });
  }

  /** Named in the change and without a value: at their default again. */
  readonly #absent = { ratePerSecond: undefined, burst: undefined, maxStarted: undefined } as unknown as LimitsRecord;

  /** Ends some attempts, in one way or another. */
  async #end(): Promise<void> {
    const ending = this.#dice.some(this.#started);
    this.#started = this.#started.filter((one) => !ending.includes(one));
    for (const { task, lease } of ending) {
      this.#queue.started -= 1;
      this.#of(task.key).started -= 1;
      if (this.#dice.once(3)) {
        await this.#d.release({ lease });
        this.#waiting.push(task);
        this.#returned.add(task.id);
      } else {
        await this.#d.complete({ lease });
      }
    }
  }

  async #claim(): Promise<void> {
    const wanted = this.#dice.once(2) ? null : this.#dice.some([...types]);
    const slots = this.#dice.of([3, 50, 1_000]);
    const { now } = this.#d;
    const { granted, claims } = await this.#d.commit([{ verb: "promote", limit: 1_000 }], () =>
      claimOrder({ slots, types: wanted, leaseMs: 3_600_000 }),
    );
    const tasks = granted[0] ?? [];
    for (const { id, lease } of tasks) {
      const task = this.#waiting.find((one) => one.id === id);
      if (task === undefined) throw new Error(`${id} was dispatched, but does not wait`);
      const before = this.#waiting.find(
        (one) =>
          one.key === task.key &&
          one.place < task.place &&
          // One that comes back stands where it was: others of its key, of types that were not asked for, may be behind.
          (one.type === task.type || !this.#returned.has(task.id)) &&
          (wanted?.includes(one.type) ?? true),
      );
      if (before !== undefined) throw new Error(`${id} was dispatched before ${before.id}`);
      for (const limited of [this.#queue, this.#of(task.key)]) {
        const closed = this.#closed(limited, now);
        if (closed !== undefined) throw new Error(`${id} was dispatched against its ${closed}`);
        const rate = rateOf(limited);
        if (rate !== undefined) limited.arrival = dispatchedAt(rate, limited.arrival, now);
        limited.started += 1;
      }
      this.#waiting = this.#waiting.filter((one) => one !== task);
      this.#started.push({ task, lease });
    }
    if (tasks.length === slots) return;
    // There was room: whatever is left is held back by a limit.
    expect(claims[0]?.dry).toBe(true);
    if (this.#closed(this.#queue, now) !== undefined) return;
    const heldUp = this.#waiting.filter(
      ({ key, type }) => (wanted?.includes(type) ?? true) && this.#closed(this.#of(key), now) === undefined,
    );
    expect(heldUp).toEqual([]);
    if (wanted !== null) return;
    const { rate, "max-started": maxStarted } = (await this.#d.describe()).heldBackKeys;
    expect(rate.tasks + maxStarted.tasks).toBe(this.#waiting.length);
  }

  #closed(limited: Limited, now: number): "rate" | "maximum" | undefined {
    const { maxStarted = Infinity } = limited.limits;
    if (limited.started >= maxStarted) return "maximum";
    const rate = rateOf(limited);
    return rate !== undefined && allowedAt(rate, limited.arrival) > now ? "rate" : undefined;
  }

  #change(limited: Limited, to: LimitsRecord): void {
    const from = rateOf(limited);
    limited.limits = to;
    const rate = rateOf(limited);
    if (rate !== undefined) limited.arrival = arrivalAfterChange(from, rate, limited.arrival, this.#d.now);
  }

  #of(key: string): Limited {
    const limited = this.#keys.get(key);
    if (limited === undefined) throw new Error(`there is no key ${key}`);
    return limited;
  }
}

function rateOf({ limits }: Limited): RateLimit | undefined {
  const { ratePerSecond: rate, burst = 1 } = limits;
  return rate === undefined ? undefined : { rate, burst };
}
