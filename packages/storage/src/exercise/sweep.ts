import { expect } from "vitest";
import { activities, failure, start } from "./driver.ts";
import { chapter, type Harness } from "./harness.ts";

/** What has been kept long enough goes, and nothing else. */
export function sweep(harness: Harness): void {
  const queues = { namePrefix: "" };
  chapter("sweep", harness, (test) => {
    test("removes a closed task when its retention is over", async (d) => {
      await d.add({ id: "a", retentionMs: 5_000 });
      await d.complete(await d.claimOne());
      expect((await d.task("a")).keptUntil).toBe(start + 5_000);
      expect(d.nextDue.sweep).toBeLessThanOrEqual(start + 5_000);
      await d.pass(4_999);
      expect(await d.state("a")).toBe("completed");
      await d.pass(1);
      expect(await d.state("a")).toBe("gone");
    });

    test("keeps completed tasks for an hour and dead ones for two weeks, by default", async (d) => {
      await d.add({ id: "completed" }, { id: "failed" }, { id: "canceled" });
      const [completed, failed] = await d.claim({ slots: 2 });
      if (!completed || !failed) throw new Error("nothing claimed");
      await d.complete(completed);
      await d.fail(failed, failure("Bad", { nonRetryable: true }));
      await d.cancel(["canceled"]);
      await d.pass(3_600_000 - 1);
      expect(await d.states("completed", "failed", "canceled")).toEqual(["completed", "failed", "canceled"]);
      await d.pass(1);
      expect(await d.states("completed", "failed", "canceled")).toEqual(["gone", "failed", "gone"]);
      expect((await d.describe()).counts.dead).toBe(1);
      await d.pass(13 * 24 * 3_600_000);
      expect(await d.state("failed")).toBe("failed");
      await d.pass(24 * 3_600_000);
      expect(await d.state("failed")).toBe("gone");
      expect((await d.describe()).counts.dead).toBe(0);
    });

    test("a closed task can be read for as long as it is kept, though its queue is empty", async (d) => {
      await d.add({ id: "a" });
      await d.complete(await d.claimOne());
      await d.pass(60_000);
      await d.pass(60_000);
      expect(await d.task("a")).toMatchObject({ state: "completed", queue: activities });
      await d.reopen();
      await d.pass(60_000);
      expect(await d.task("a")).toMatchObject({ state: "completed", queue: activities });
      const { items } = await d.store.listTasks("default", {}, { size: 10, examine: 100, maxBytes: Infinity });
      expect(items.map((task) => task.id)).toEqual(["a"]);
    });

    test("never removes what is open", async (d) => {
      await d.add({ id: "ready" }, { id: "delayed", startDelayMs: 1e12 });
      await d.add({ id: "started", retentionMs: 0 });
      await d.claimOne({ leaseMs: 12 * 3_600_000 });
      await d.pass(3_600_000);
      expect(await d.states("ready", "delayed", "started")).toEqual(["started", "scheduled", "ready"]);
    });

    test("a queue that holds nothing leaves no trace", async (d) => {
      await d.add({ id: "a", retentionMs: 0, serialKey: "s", fairnessKey: "k" });
      await d.complete(await d.claimOne());
      await d.pass(60_000);
      expect((await d.store.listTaskQueues("default", queues, { size: 10 })).items).toEqual([]);
      expect(d.nextDue).toEqual({});
    });

    test("a queue that was removed comes back with the next add", async (d) => {
      for (let i = 0; i < 3; i++) {
        await d.add({ id: "a", retentionMs: 0 });
        await d.complete(await d.claimOne());
        await d.pass(60_000);
      }
      await d.add({ id: "a" });
      expect((await d.describe()).counts.ready).toBe(1);
    });

    test("a queue that is used again just as it would go stays", async (d) => {
      await d.add({ id: "a", retentionMs: 0 });
      await d.complete(await d.claimOne());
      d.now += 60_000;
      const add = { id: "b" };
      await d.add(add);
      await d.run({ verb: "sweep", limit: 10 });
      expect(await d.claimIds()).toEqual(["b"]);
    });

    test("an empty queue that was found at a start goes, too", async (d) => {
      await d.add({ id: "a", retentionMs: 0 });
      await d.complete(await d.claimOne());
      await d.crash();
      await d.pass(60_000);
      expect(d.nextDue).toEqual({});
    });

    test("does at most as many as it is told, and says when to come again", async (d) => {
      await d.add(...["a", "b", "c"].map((id) => ({ id, retentionMs: 1_000 })));
      for (const task of await d.claim()) await d.complete(task);
      d.now += 5_000;
      expect(await d.run({ verb: "sweep", limit: 2 })).toEqual({ verb: "sweep", removed: 2 });
      expect(d.nextDue.sweep).toBeLessThanOrEqual(d.now);
      expect(await d.run({ verb: "sweep", limit: 2 })).toMatchObject({ removed: 1 });
    });

    test("says in time when it has something to do, and never too often", async (d) => {
      await d.add(...["a", "b"].map((id) => ({ id, fairnessKey: id, retentionMs: 0 })));
      const [task] = await d.claim({ slots: 1 });
      if (!task) throw new Error("nothing claimed");
      await d.complete(task);
      // A queue in use may ask for a look around now and then, but not again right after one.
      for (let i = 0; i < 3; i++) {
        await d.pass(60_000);
        await d.add({ id: `more ${i}`, fairnessKey: "c" });
        expect(d.nextDue.sweep ?? Infinity).toBeGreaterThan(d.now);
      }
    });
  });
}
