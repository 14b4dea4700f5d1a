import { expect } from "vitest";
import type { Operation } from "../operations.ts";
import { action, activities, bytes, claimOrder, failure, newTask, start, type Driver } from "./driver.ts";
import { chapter, type Harness } from "./harness.ts";

/** Everything that the contract lets one see. */
async function snapshot(d: Driver): Promise<unknown> {
  const { items: tasks } = await d.store.listTasks("default", {}, { size: 1_000, examine: 10_000, maxBytes: Infinity });
  const { items: queues } = await d.store.listTaskQueues("default", { namePrefix: "" }, { size: 1_000 });
  return { tasks, queues, namespaces: await d.store.listNamespaces() };
}

/** A commit that fails at its very end, once its operations and its claims' plan have run. */
async function failing(d: Driver, operations: readonly Operation[]): Promise<void> {
  const plan = () => {
    throw new Error("no plan");
  };
  await expect(d.commit(operations, plan)).rejects.toThrow("no plan");
  await d.home.checkInvariants?.(d.store);
}

/** A commit that rejects did not happen. */
export function atomicity(harness: Harness): void {
  chapter("atomicity", harness, (test) => {
    const setUp = async (d: Driver) => {
      await d.add(...Array.from({ length: 300 }, (_, i) => ({ id: `${i}`, fairnessKey: "k" })));
      await d.add({ id: "s1", serialKey: "s" }, { id: "s2", serialKey: "s" }, { id: "late", startDelayMs: 1_000 });
      return d.claim({ slots: 5, pollId: "p", leaseMs: 10_000 });
    };

    test("nothing of a commit that fails can be seen, and the next one goes on as if it had not been", async (d) => {
      const [a, b, c, e, f] = await setUp(d);
      if (!a || !b || !c || !e || !f) throw new Error("nothing claimed");
      const before = await snapshot(d);
      d.now += 1_000;
      await failing(d, [
        { verb: "create-namespace", name: "n", description: "", action },
        { verb: "add", tasks: [newTask({ id: "x" }), newTask({ id: "y", queue: { ...activities, name: "new" } })] },
        {
          verb: "answer",
          namespace: "default",
          answers: [
            { lease: a.lease, kind: "completed", commands: [] },
            { lease: b.lease, kind: "failed", failure: failure() },
            { lease: c.lease, kind: "released", reason: "", toFallback: false },
          ],
        },
        { verb: "return", leases: [e.lease], why: "unconfirmed" },
        { verb: "cancel", namespace: "default", ids: ["s1", f.id, "200", "late"], force: false, reason: "" },
        { verb: "promote", limit: 10 },
        { verb: "sweep", limit: 10 },
      ]);
      expect(await snapshot(d)).toEqual(before);
      expect(await d.store.hasNamespace("n")).toBe(false);

      const statuses = await d.answers([a, b].map(({ lease }) => ({ lease, kind: "completed", commands: [] })));
      expect(statuses).toEqual([{ status: "accepted" }, { status: "accepted" }]);
      const again = await d.run({ verb: "repoll", namespace: "default", workerId: "w1", pollId: "p", maxBytes: 1e9 });
      expect(again.tasks.map((task) => task.id)).toEqual([c.id, e.id, f.id]);
      await d.add({ id: "x" });
      expect((await d.claimIds({ slots: 400 })).slice(0, 3)).toHaveLength(3);
    });

    test("a renewed lease stays as long as it was, whatever a failed commit did to it", async (d) => {
      const [a, b] = await setUp(d);
      if (!a || !b) throw new Error("nothing claimed");
      d.now += 8_000;
      await d.renew(a, b);
      const answers = [{ lease: a.lease, kind: "completed" as const, commands: [] }];
      await failing(d, [{ verb: "answer", namespace: "default", answers }]);
      expect((await d.task(a.id)).started?.leaseUntil).toBe(start + 18_000);
      expect((await d.task(b.id)).started?.leaseUntil).toBe(start + 18_000);
    });

    test("a heartbeat that was accepted counts, whatever a failed commit did to its task", async (d) => {
      await d.add({ id: "a", timeouts: { heartbeatMs: 2_000 } });
      const task = await d.claimOne();
      d.now += 1_500;
      await d.heartbeat(task);
      const answers = [{ lease: task.lease, kind: "completed" as const, commands: [] }];
      await failing(d, [{ verb: "answer", namespace: "default", answers }]);
      expect((await d.pass(1_000)).expired).toBe(0);
      expect((await d.pass(1_000)).expired).toBe(1);
    });

    test("an expired attempt that could not be ended is ended by the next commit", async (d) => {
      await setUp(d);
      d.now += 60_000;
      await failing(d, [{ verb: "expire", limit: 100 }]);
      expect(d.nextDue.expire).toBeLessThanOrEqual(d.now);
      expect((await d.run({ verb: "expire", limit: 100 })).expired).toBe(5);
    });

    test("an operation that throws midway leaves nothing of its batch", async (d) => {
      await setUp(d);
      const before = await snapshot(d);
      const broken = { ...newTask({ id: "broken" }), input: "no bytes" as unknown as Uint8Array, headers: {} };
      // What no caller may pass: engines may refuse it as they like, as long as nothing is half done.
      const tasks = [newTask({ id: "x", serialKey: "s" }), { ...broken, weight: 1, type: null as unknown as string }];
      await expect(d.commit([{ verb: "add", tasks }])).rejects.toBeInstanceOf(Error);
      await d.home.checkInvariants?.(d.store);
      expect(await snapshot(d)).toEqual(before);
    });

    test("an empty queue that a failed commit filled, or removed, is still swept", async (d) => {
      await d.add({ id: "a", retentionMs: 0 });
      await d.complete(await d.claimOne());
      await failing(d, [{ verb: "add", tasks: [newTask({ id: "b" })] }]);
      d.now += 60_000;
      await failing(d, [{ verb: "sweep", limit: 100 }]);
      await d.pass(60_000);
      expect(d.nextDue).toEqual({});
    });

    test("a claim that fails leases nothing, and the same tasks come again", async (d) => {
      await d.add(...["a", "b"].map((id) => ({ id, input: bytes(id) })));
      const order = claimOrder({});
      const offers = [
        { ...order.offers[0], workerId: undefined as unknown as string, slots: 5 },
      ] as typeof order.offers;
      await expect(d.commit([], () => ({ ...order, offers }))).rejects.toBeInstanceOf(Error);
      await d.home.checkInvariants?.(d.store);
      expect(await d.claimIds()).toEqual(["a", "b"]);
    });
  });
}
