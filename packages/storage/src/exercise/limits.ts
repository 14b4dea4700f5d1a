import { liveWorkerMs, type TypeSet } from "@tq/matching-core";
import { expect } from "vitest";
import type { TaskQueueConfig } from "../configuration.ts";
import { activities, claimOrder, start, type Driver } from "./driver.ts";
import { chapter, type Harness } from "./harness.ts";
import { configure } from "./settings.ts";

async function addMany(d: Driver, prefix: string, n: number, fairnessKey = "", type = "t"): Promise<void> {
  await d.add(...Array.from({ length: n }, (_, i) => ({ id: `${prefix}${i}`, fairnessKey, type })));
}

/** Ids of a claim with room for all, without what is left to do by time. */
async function take(d: Driver, slots = 100, types: TypeSet = null, askedRate?: number): Promise<readonly string[]> {
  const order = claimOrder({ slots, types });
  const claims = order.claims.map((one) => ({ ...one, ...(askedRate !== undefined && { askedRate }) }));
  const { granted } = await d.commit([], () => ({ ...order, claims }));
  return (granted[0] ?? []).map(({ id }) => id);
}

/** The same, when the time has come that the store named. */
async function takeAt(d: Driver, now: number): Promise<readonly string[]> {
  d.now = now;
  const { granted } = await d.commit([{ verb: "promote", limit: 1_000 }], () => claimOrder({}));
  return (granted[0] ?? []).map(({ id }) => id);
}

function keys(limits: Readonly<Record<string, object>>): Partial<TaskQueueConfig> {
  return { fairnessKeys: new Map(Object.entries(limits)) };
}

/** Limits of dispatch. */
export function limits(harness: Harness): void {
  chapter("the rate of a queue", harness, (test) => {
    test("lets its burst through, then one at a time, and says when", async (d) => {
      await configure(d, { ratePerSecond: 10, burst: 3 });
      await addMany(d, "a", 6);
      expect(await take(d)).toEqual(["a0", "a1", "a2"]);
      expect(d.last?.claims).toEqual([{ dry: true, until: start + 100 }]);
      expect((await d.describe()).rateLimitedUntil).toBe(start + 100);
      d.now = start + 99;
      expect(await take(d)).toEqual([]);
      d.now = start + 100;
      expect(await take(d)).toEqual(["a3"]);
      d.now = start + 60_000;
      expect(await take(d)).toEqual(["a4", "a5"]);
    });

    test("holds over a crash: there is no second burst", async (d) => {
      await configure(d, { ratePerSecond: 1, burst: 2 });
      await addMany(d, "a", 9);
      expect(await take(d)).toHaveLength(2);
      await d.crash(500);
      expect(await take(d)).toEqual([]);
      d.now = start + 1_000;
      expect(await take(d)).toHaveLength(1);
    });

    test("takes effect at once when it changes", async (d) => {
      await configure(d, { ratePerSecond: 0.001, burst: 1 });
      await addMany(d, "a", 9);
      expect(await take(d)).toHaveLength(1);
      await configure(d, { ratePerSecond: 1_000 });
      d.now += 2;
      expect(await take(d)).toHaveLength(1);
      await configure(d, { ratePerSecond: 0.001 });
      d.now += 100_000;
      expect(await take(d)).toHaveLength(0);
    });

    test("gives no second burst as it changes and back", async (d) => {
      await configure(d, {
        ratePerSecond: 1,
        burst: 10,
        fairnessKeys: new Map([["k", { ratePerSecond: 1, burst: 5 }]]),
      });
      await addMany(d, "a", 60);
      await addMany(d, "k", 60, "k");
      let [ofQueue, ofKey] = [0, 0];
      for (let i = 0; i < 6; i++) {
        for (const id of await take(d, 1_000)) {
          if (id.startsWith("k")) ofKey += 1;
          else ofQueue += 1;
        }
        const more = i % 2 === 0 ? 2 : 1;
        const ofKeys = new Map([["k", { ratePerSecond: i % 3 === 0 ? 1 : 100, burst: 5 * more }]]);
        await configure(d, { burst: 10 * more, fairnessKeys: ofKeys });
        await d.run({ verb: "promote", limit: 100 });
      }
      expect(ofQueue + ofKey).toBe(10);
      expect(ofKey).toBeLessThanOrEqual(5);
    });

    test("is the smallest that live workers ask for, unless an operator has set one", async (d) => {
      await addMany(d, "a", 9);
      expect(await take(d, 100, null, 2)).toEqual(["a0", "a1"]);
      expect(await take(d, 100, null, 2)).toEqual([]);
      await d.crash(1);
      // Those that asked for it have not called yet.
      expect(await take(d)).toEqual([]);
      await configure(d, { ratePerSecond: 4, burst: 4 });
      d.now += 1_000;
      expect((await take(d, 100, null, 2)).length).toBeGreaterThan(2);
    });

    test("that workers asked for before a start is looked at again when they had the time to call", async (d) => {
      await addMany(d, "a", 9);
      expect(await take(d, 100, null, 0.001)).toHaveLength(1);
      await d.crash(1);
      expect(await take(d)).toEqual([]);
      expect(d.last?.claims).toEqual([{ dry: true, until: start + 1 + liveWorkerMs }]);
      d.now = start + 1 + liveWorkerMs;
      expect(await take(d)).toHaveLength(8);
    });

    test("that workers asked for ends with them", async (d) => {
      await addMany(d, "a", 9);
      expect(await take(d, 100, null, 1)).toHaveLength(1);
      d.now += 15_000;
      expect(await take(d)).toHaveLength(8);
    });

    test("is paid for a dispatch, not for a task: a released one pays again", async (d) => {
      await configure(d, { ratePerSecond: 1, burst: 1 });
      await d.add({ id: "a" });
      await d.release(await d.claimOne());
      expect(await take(d)).toEqual([]);
      d.now += 1_000;
      expect(await take(d)).toEqual(["a"]);
    });
  });

  chapter("the maximum of started tasks", harness, (test) => {
    test("holds for the queue, and touches it when there is room again", async (d) => {
      await configure(d, { maxStarted: 2 });
      await addMany(d, "a", 4);
      const [first] = await d.claim();
      expect(await take(d)).toEqual([]);
      expect(d.last?.claims).toEqual([{ dry: true }]);
      if (first === undefined) throw new Error("two were started");
      const touched = new Set<string>();
      await d.commit(
        [{ verb: "answer", namespace: "default", answers: [{ lease: first.lease, kind: "completed", commands: [] }] }],
        (queues) => {
          for (const { name } of queues.values()) touched.add(name);
          return { offers: [], claims: [] };
        },
      );
      expect([...touched]).toEqual(["q"]);
      expect(await take(d)).toEqual(["a2"]);
      await d.crash();
      expect(await take(d)).toEqual([]);
    });

    test("holds for a key, and another is not held up", async (d) => {
      await configure(d, keys({ k: { maxStarted: 1 } }));
      await addMany(d, "k", 3, "k");
      await addMany(d, "o", 2, "o");
      const tasks = await d.claim();
      expect(tasks.map(({ id }) => id).toSorted()).toEqual(["k0", "o0", "o1"]);
      expect(await d.task("k1")).toMatchObject({ keyHeldBack: "max-started" });
      expect((await d.describe()).heldBackKeys["max-started"]).toEqual({ keys: 1, tasks: 2, since: start });
      const k0 = tasks.find(({ id }) => id === "k0");
      if (k0 === undefined) throw new Error("k0 was dispatched");
      await d.complete(k0);
      expect((await d.describe()).heldBackKeys["max-started"]).toEqual({ keys: 0, tasks: 0 });
      expect(await take(d)).toEqual(["k1"]);
    });

    test("of a key is lifted by its retry, its expiry and its cancel alike", async (d) => {
      await configure(d, keys({ k: { maxStarted: 1 } }));
      await addMany(d, "k", 4, "k");
      await d.fail(await d.claimOne());
      const second = await d.claimOne();
      expect(second.id).toBe("k1");
      expect(await take(d)).toEqual([]);
      await d.pass(30_100);
      expect(await take(d)).toHaveLength(1);
      expect(await take(d)).toEqual([]);
      await d.cancel(["k0", "k1", "k2", "k3"], true);
      await addMany(d, "m", 1, "k");
      expect(await take(d)).toEqual(["m0"]);
    });
  });

  chapter("the rate of a fairness key", harness, (test) => {
    test("holds back the key alone, and lets it go on at its time", async (d) => {
      await configure(d, keys({ k: { ratePerSecond: 10, burst: 2 } }));
      await addMany(d, "k", 5, "k");
      await addMany(d, "o", 2, "o");
      expect((await take(d)).toSorted()).toEqual(["k0", "k1", "o0", "o1"]);
      expect(d.nextDue.promote).toBe(start + 100);
      expect((await d.describe()).heldBackKeys.rate).toEqual({ keys: 1, tasks: 3, since: start });
      await addMany(d, "more", 4, "k");
      await d.cancel(["more0", "more1", "more2", "more3", "k4"]);
      expect((await d.describe()).heldBackKeys.rate.tasks).toBe(2);
      await addMany(d, "k4", 1, "k");
      expect(await take(d)).toEqual([]);
      expect(await takeAt(d, start + 100)).toEqual(["k2"]);
      expect(await takeAt(d, start + 101)).toEqual([]);
      await d.crash(90);
      expect(await take(d)).toEqual([]);
      expect(await takeAt(d, start + 200)).toEqual(["k3"]);
    });

    test("of keys that are not listed is the default one, for each by itself", async (d) => {
      await configure(d, { ...keys({ free: {} }), defaultFairnessKey: { ratePerSecond: 1, burst: 1 } });
      await addMany(d, "a", 2, "a");
      await addMany(d, "b", 2, "b");
      await addMany(d, "f", 2, "free");
      expect((await take(d)).toSorted()).toEqual(["a0", "b0", "f0", "f1"]);
    });

    test("takes effect at once when it changes, and when it goes", async (d) => {
      await configure(d, keys({ k: { ratePerSecond: 0.001, burst: 1 } }));
      await addMany(d, "k", 9, "k");
      expect(await take(d)).toHaveLength(1);
      await configure(d, keys({ k: { ratePerSecond: 1_000, burst: 1 } }));
      expect(d.nextDue.promote).toBe(start);
      expect(await takeAt(d, start)).toHaveLength(0);
      expect(await takeAt(d, start + 1)).toHaveLength(1);
      await configure(d, keys({}));
      expect(await takeAt(d, start + 3)).toHaveLength(7);
    });

    test("set on a key that has a backlog leaves its order as it is", async (d) => {
      await addMany(d, "k", 250, "k");
      await addMany(d, "o", 50, "o");
      await configure(d, keys({ k: { ratePerSecond: 1_000, burst: 10 } }));
      const seen: string[] = [...(await take(d, 1_000))];
      for (let i = 0; i < 40 && seen.length < 300; i++) seen.push(...(await takeAt(d, d.now + 1_000)));
      expect(seen.filter((id) => id.startsWith("k"))).toEqual(Array.from({ length: 250 }, (_, i) => `k${i}`));
      expect(seen.filter((id) => id.startsWith("o"))).toHaveLength(50);
    });

    test("leaves nothing behind once the key is refilled", async (d) => {
      await configure(d, keys({ k: { ratePerSecond: 1, burst: 1 } }));
      await addMany(d, "k", 1, "k");
      const task = await d.claimOne();
      await d.complete(task);
      await configure(d, keys({}));
      await d.pass(20_000);
      await d.pass(4_000_000);
    });
  });

  chapter("a key that was held back", harness, (test) => {
    test("rejoins at the present: it neither makes up for the time nor pays for it", async (d) => {
      await configure(d, keys({ k: { maxStarted: 1 } }));
      await addMany(d, "k", 100, "k");
      await addMany(d, "o", 200, "o");
      const held = (await d.claim({ slots: 1 })).concat(await d.claim({ slots: 50 }));
      const k0 = held.find(({ id }) => id === "k0");
      if (k0 === undefined) throw new Error("k0 was dispatched");
      await d.complete(k0);
      await configure(d, keys({}));
      await d.run({ verb: "promote", limit: 10 });
      const ids = await take(d, 40);
      const ofK = ids.filter((id) => id.startsWith("k")).length;
      expect(ofK).toBeGreaterThanOrEqual(19);
      expect(ofK).toBeLessThanOrEqual(21);
    });

    test("gives a released task its place back, before those that wait", async (d) => {
      await configure(d, keys({ k: { maxStarted: 1 } }));
      await addMany(d, "k", 3, "k");
      const first = await d.claimOne();
      expect(await take(d)).toEqual([]);
      await d.release(first);
      expect(await take(d)).toEqual(["k0"]);
      expect(await take(d)).toEqual([]);
    });
  });

  chapter("the weight that an operator gives a key", harness, (test) => {
    test("wins over that of its tasks", async (d) => {
      await configure(d, keys({ a: { weight: 3 } }));
      await addMany(d, "a", 300, "a");
      await addMany(d, "b", 300, "b");
      const ofA = (await take(d, 100)).filter((id) => id.startsWith("a")).length;
      expect(ofA).toBeGreaterThanOrEqual(74);
      expect(ofA).toBeLessThanOrEqual(76);
    });
  });

  chapter("the limits of another queue", harness, (test) => {
    test("say nothing here", async (d) => {
      await configure(d, { ratePerSecond: 0.001, burst: 1, maxStarted: 1 });
      const queue = { ...activities, name: "other" };
      await d.add({ id: "a", queue }, { id: "b", queue });
      expect(await d.claimIds({ queue })).toEqual(["a", "b"]);
    });
  });
}
