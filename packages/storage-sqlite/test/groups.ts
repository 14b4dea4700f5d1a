import type { LeaseRef, TaskQueue } from "@tq/matching-core";
import type { DispatchedTask, Operation, TaskRecord } from "@tq/storage";
import {
  activities,
  bytes,
  Driver,
  failure,
  newTask,
  workflows,
  type Harness,
  type SomeTask,
} from "@tq/storage/exercise";
import { describe, expect, it } from "vitest";
import { seeded } from "./seeded.ts";

const queues: readonly TaskQueue[] = [activities, { ...activities, name: "r" }, workflows];
const action = { actor: "alice", reason: "", call: "Test", request: "{}" };

const steps = 60;

/**
 * Walks of random groups of operations, one for each seed from 1 on. `TQ_SEED=<seed>`, or `TQ_SEED=<first>-<last>`, goes
 * through others.
 *
 * @param name what is to hold of them; `%i` in it stands for the seed
 * @param seeds how many
 * @param last done once all groups of a walk have been sent
 */
export function exerciseGroups(
  harness: Harness,
  name: string,
  seeds: number,
  last: (d: Driver) => Promise<void> = async () => undefined,
): void {
  const [firstSeed = 1, lastSeed = firstSeed] = process.env["TQ_SEED"]?.split("-").map(Number) ?? [1, seeds];
  describe("groups of operations", () => {
    it.each(Array.from({ length: lastSeed - firstSeed + 1 }, (_, i) => firstSeed + i))(
      name,
      async (seed) => {
        const d = await Driver.open(harness);
        const groups = new Groups(d, seeded(seed));
        try {
          for (let i = 0; i < steps; i++) await groups.step();
          await last(d);
        } catch (error) {
          const message = error instanceof Error ? error.message : String(error);
          throw new Error(`TQ_SEED=${seed}: ${message}\n${groups.trace.slice(-2).join("\n")}`, { cause: error });
        } finally {
          await d.dispose();
        }
      },
      120_000,
    );
  });
}

/** Sends random groups of operations to a store. */
class Groups {
  readonly #d: Driver;
  readonly #random: () => number;
  /** What was claimed, of which the last matter. */
  readonly #claimed: DispatchedTask[] = [];
  readonly trace: string[] = [];
  /** Leases whose completion was accepted: of those no task may be open any more. */
  readonly #completed = new Set<number>();
  #n = 0;
  #clock = 1_000_000;

  constructor(d: Driver, random: () => number) {
    this.#d = d;
    this.#random = random;
  }

  async step(): Promise<void> {
    this.#d.now += this.#of([0, 1, 50, 150, 2_000, 11_000]);
    const roll = this.#below(12);
    if (roll === 0) {
      const before = await this.#tasks();
      this.trace.push("crash");
      await this.#d.crash();
      expect(await this.#tasks()).toEqual(before);
      return;
    }
    const operations = Array.from({ length: 1 + this.#below(6) }, () =>
      this.#once(4) ? this.#twice() : [this.#operation()],
    ).flat();
    this.trace.push(JSON.stringify(operations, (key, value: unknown) => (key === "input" ? undefined : value)));
    if (roll === 1) {
      const before = await this.#tasks();
      await expect(this.#d.commit(operations, () => this.#failing())).rejects.toThrow("by chance");
      expect(await this.#tasks()).toEqual(before);
      return;
    }
    const { granted, results } = await this.#d.commit(operations, () => this.#plan());
    for (const tasks of granted) {
      for (const task of tasks) expect(this.#completed.has(task.lease.seq)).toBe(false);
      this.#claimed.push(...tasks);
    }
    for (const [i, result] of results.entries()) {
      const operation = operations[i];
      if (result.verb !== "answer" || "refused" in result || operation?.verb !== "answer") continue;
      for (const [j, { lease, kind }] of operation.answers.entries()) {
        if (result.statuses[j]?.status === "accepted" && kind === "completed") this.#completed.add(lease.seq);
      }
    }
  }

  /** Everything, as it is listed. When leases end is in memory only. */
  async #tasks(): Promise<unknown[]> {
    const { items } = await this.#d.store.listTasks("default", {}, { size: 1e5, examine: 1e6, maxBytes: 1e9 });
    for (const { seq, state } of items) if (this.#completed.has(seq)) expect(state).toBe("completed");
    const ids = items.map(({ id }) => id);
    const byId = await this.#d.store.getTasks("default", ids);
    expect(byId.map((task) => task?.seq)).toEqual(items.map(({ seq }) => seq));
    return items.map((task: TaskRecord) => ({ ...task, started: task.started && { ...task.started, leaseUntil: 0 } }));
  }

  #plan() {
    const { queue, types } = { queue: this.#of(queues), types: this.#of([null, null, ["t"], ["t", "u"]]) };
    const offers = Array.from({ length: 1 + this.#below(2) }, (_, i) => ({
      workerId: `w${i}`,
      pollId: this.#of(["", `p${this.#n++}`]),
      leaseMs: 1_000 * (1 + this.#below(20)),
      slots: this.#of([1, 5, 40, 200]),
      maxBytes: 1e9,
    }));
    return { offers, claims: [{ queue, types, offers: offers.map((_, i) => i) }] };
  }

  /** A plan whose claims are made, and then it fails. */
  #failing() {
    const plan = this.#plan();
    const [first, ...others] = plan.offers;
    const failing = Object.defineProperty({ ...first }, "confirmMs", {
      get: () => {
        throw new Error("by chance");
      },
    }) as NonNullable<typeof first>;
    return { ...plan, offers: [failing, ...others] };
  }

  /** One task completes and goes, or is there anew, before its neighbour completes. */
  #twice(): Operation[] {
    const [first, second] = this.#lately(2);
    if (first === undefined || second === undefined) return [];
    const complete = ({ lease }: DispatchedTask): Operation => ({
      verb: "answer",
      namespace: "default",
      answers: [{ lease, kind: "completed", commands: [] }],
    });
    const filter = { ids: [first.id] };
    const change = { kind: "purge", silent: true } as const;
    const between: Operation = this.#once(2)
      ? { verb: "add", tasks: [newTask({ id: first.id, idPolicy: "allow" })] }
      : { verb: "change-tasks", namespace: "default", filter, change, dryRun: false, examine: 10, action };
    return [complete(first), between, complete(second)];
  }

  #operation(): Operation {
    const roll = this.#below(20);
    if (roll < 6) return { verb: "add", tasks: this.#batch().map(newTask) };
    if (roll < 12)
      return { verb: "answer", namespace: "default", answers: this.#some(30).map((lease) => this.#answer(lease)) };
    if (roll < 14) return { verb: "cancel", namespace: "default", ids: this.#ids(), force: this.#once(2), reason: "" };
    if (roll === 14)
      return { verb: "return", leases: this.#some(5), why: this.#of(["undelivered", "unconfirmed"] as const) };
    if (roll === 15)
      return { verb: this.#of(["sweep", "promote", "expire"] as const), limit: this.#of([1, 20, 1_000]) };
    if (roll === 16) return { verb: "sweep", limit: this.#of([1, 20, 1_000]) };
    if (roll === 17 && this.#once(3)) return this.#configure();
    const change = this.#of([
      { kind: "purge", silent: false },
      { kind: "purge", silent: true },
      { kind: "move", to: { ...activities, name: "r" } },
      { kind: "move", to: activities },
      { kind: "redrive" },
      { kind: "release" },
    ] as const);
    const filter = this.#of([
      { ids: this.#ids() },
      { types: ["u"] },
      { states: ["completed" as const] },
      { idPrefix: `i${this.#below(9)}` },
    ]);
    return {
      verb: "change-tasks",
      namespace: "default",
      filter,
      change,
      dryRun: this.#once(8),
      examine: this.#of([10, 100, 1_000]),
      limit: this.#of([1, 10, 1_000]),
      action,
    };
  }

  #configure(): Operation {
    const key = this.#of([undefined, { maxStarted: 2 }, { ratePerSecond: 3 }, { weight: 3 }]);
    return {
      verb: "configure",
      queue: this.#of(queues),
      fields: ["fairnessKeys"],
      to: { fairnessKeys: new Map(key === undefined ? [] : [["k1", key]]) },
      action,
    } as unknown as Operation;
  }

  #batch(): SomeTask[] {
    const size = this.#of([1, 2, 3, 17, 20, 30]);
    const many = this.#once(4);
    const queue = this.#of(queues);
    const shared = this.#shape();
    const base = this.#once(4) ? this.#below(1_000) * 10 : (this.#clock += 1_000);
    const ids = this.#once(4)
      ? [...new Set(this.#lately(3).map(({ id }) => id))]
      : Array.from({ length: size }, (_, i) => `i${base + i}`);
    const tasks = ids.map((id) => ({
      id,
      queue: many ? this.#of(queues) : queue,
      ...(this.#once(8) ? this.#shape() : shared),
    }));
    return this.#once(6) ? tasks.reverse() : tasks;
  }

  #shape(): Omit<SomeTask, "id"> {
    return {
      type: this.#of(["t", "t", "u", "v"]),
      idPolicy: "allow",
      priority: this.#of([3, 3, 3, 1]),
      fairnessKey: this.#of(["", "", "k1", "k2"]),
      fairnessWeight: this.#of([1, 1, 2.5]),
      ...(this.#once(2) && { retentionMs: this.#of([0, 100, 5_000]) }),
      ...(this.#once(9) && { serialKey: this.#of(["s1", "s2"]) }),
      ...(this.#once(9) && { startDelayMs: 100 }),
      ...(this.#once(5) && { onClose: { queueName: "w", type: "closed" } }),
      ...(this.#once(9) && { fallback: { queueName: "r", input: bytes("other") } }),
      ...(this.#once(9) && { headers: { a: "b" } }),
      ...(this.#once(9) && { timeouts: { startToCloseMs: 5_000, scheduleToStartMs: 3_000 } }),
      ...(this.#once(40) && { input: new Uint8Array(this.#of([16_384, 20_000, 9_000])) }),
    };
  }

  #answer(lease: LeaseRef) {
    const roll = this.#below(10);
    if (roll < 6) {
      const result = this.#of([undefined, bytes("r"), new Uint8Array(2_100)]);
      return { lease, kind: "completed" as const, commands: [], ...(result && { result }) };
    }
    if (roll < 8) return { lease, kind: "failed" as const, failure: failure("Boom", { nonRetryable: this.#once(2) }) };
    return { lease, kind: "released" as const, reason: "shutdown", toFallback: this.#once(2) };
  }

  #ids(): string[] {
    if (this.#once(2)) return this.#lately(4).map(({ id }) => id);
    const base = this.#once(2)
      ? this.#below(1_000) * 10
      : 1_000_000 + 1_000 * this.#below((this.#clock - 1_000_000) / 1_000 + 1);
    return Array.from({ length: this.#of([1, 5, 30]) }, (_, i) => `i${base + i * this.#of([1, 2])}`);
  }

  #some(most: number): LeaseRef[] {
    return this.#lately(this.#of([1, 2, most])).map(({ lease }) => lease);
  }

  /** Up to so many that were claimed lately, most of them one behind the other. */
  #lately(most: number): readonly DispatchedTask[] {
    const from = Math.max(this.#claimed.length - 1 - this.#below(this.#once(2) ? 12 : 120), 0);
    return this.#claimed.slice(from, from + 1 + this.#below(most));
  }

  #once(in_: number): boolean {
    return this.#below(in_) === 0;
  }

  #below(n: number): number {
    return Math.floor(this.#random() * n);
  }

  #of<Value>(values: readonly Value[]): Value {
    return values[this.#below(values.length)] as Value;
  }
}
