import { expect } from "vitest";
import { emptyTaskQueue } from "../records.ts";
import { activities, failure, start, workflows } from "./driver.ts";
import { chapter, type Harness } from "./harness.ts";

/** What a queue says of itself. */
export function describing(harness: Harness): void {
  const none = { scheduled: 0, ready: 0, started: 0, dead: 0 };

  chapter("describe", harness, (test) => {
    test("counts by state, by priority and by type", async (d) => {
      await d.add({ id: "dead", type: "x" });
      await d.fail(await d.claimOne(), failure("Bad", { nonRetryable: true }));
      await d.add({ id: "started", type: "x", priority: 1 });
      await d.claimOne();
      await d.add({ id: "ready", type: "y" }, { id: "delayed", type: "x", startDelayMs: 1_000, priority: 5 });
      await d.add({ id: "s1", type: "y", serialKey: "s" }, { id: "s2", type: "y", serialKey: "s" });

      expect(await d.describe()).toMatchObject({
        queue: activities,
        counts: { scheduled: 1, ready: 3, started: 1, dead: 1 },
        waitForSerialKey: 1,
        oldestReadyAt: start,
      });
      const { byPriority, byType, placedByType } = await d.describe();
      expect(byPriority).toEqual(
        new Map([
          [1, { ...none, started: 1 }],
          [3, { ...none, ready: 3, dead: 1 }],
          [5, { ...none, scheduled: 1 }],
        ]),
      );
      expect(byType).toEqual(
        new Map([
          ["x", { scheduled: 1, ready: 0, started: 1, dead: 1 }],
          ["y", { ...none, ready: 3 }],
        ]),
      );
      expect(placedByType.get("y")).toBe(2);
    });

    test("knows since when the oldest is ready, to 100 ms", async (d) => {
      await d.add({ id: "a" });
      d.now += 1_234;
      await d.add({ id: "b" });
      const [a] = await d.claim({ slots: 1 });
      expect((await d.describe()).oldestReadyAt).toBe(start + 1_200);
      // One that comes back has been ready since it first was.
      if (a) await d.giveBack("undelivered", a);
      expect((await d.describe()).oldestReadyAt).toBe(start);
      await d.claim();
      expect(await d.describe()).not.toHaveProperty("oldestReadyAt");
    });

    test("one that waits for its serial key is ready, and ages", async (d) => {
      await d.add({ id: "a", serialKey: "s" }, { id: "b", serialKey: "s" });
      d.now += 5_000;
      const a = await d.claimOne();
      expect((await d.describe()).oldestReadyAt).toBe(start);
      await d.complete(a);
      expect((await d.describe()).oldestReadyAt).toBe(start);
      await d.claimOne();
      expect(await d.describe()).not.toHaveProperty("oldestReadyAt");
    });

    test("started tasks are counted by worker", async (d) => {
      await d.add({ id: "a" }, { id: "b" }, { id: "c" });
      const [first] = await d.claim({ workerId: "one", slots: 2 });
      await d.claim({ workerId: "two", slots: 2 });
      expect((await d.describe()).startedByWorker).toEqual(
        new Map([
          ["one", 2],
          ["two", 1],
        ]),
      );
      if (first !== undefined) await d.complete(first);
      await d.crash();
      expect((await d.describe()).startedByWorker).toEqual(
        new Map([
          ["one", 1],
          ["two", 1],
        ]),
      );
    });

    test("says since when a task is ready, in the front, in a lane and in line for its serial key", async (d) => {
      await d.add(...Array.from({ length: 300 }, (_, i) => ({ id: `t${i}` })));
      d.now += 1_000;
      await d.add({ id: "first", serialKey: "s", priority: 1 }, { id: "second", serialKey: "s" });
      const [t0, t299, first, second] = await d.store.getTasks("default", ["t0", "t299", "first", "second"]);
      const since = [t0, t299, first, second].map((task) => task?.readyAt);
      expect(since).toEqual([start, start, start + 1_000, start + 1_000]);
      await d.claimOne();
      expect((await d.task("first")).readyAt).toBeUndefined();
    });

    test("a queue that does not exist is empty", async (d) => {
      const queue = { ...workflows, name: "nowhere" };
      expect(await d.describe(queue)).toEqual(emptyTaskQueue(queue));
      expect((await d.describe({ ...queue, namespace: "no" })).counts).toEqual(none);
    });

    test("counts what was added, internal adds too", async (d) => {
      await d.add({ id: "a", onClose: { queueName: "w", type: "closed" } }, { id: "b" });
      expect([...(d.last?.added ?? [])].map(([, n]) => n)).toEqual([2]);
      await d.add({ id: "a" });
      expect([...(d.last?.added ?? [])]).toEqual([]);
      await d.complete(await d.claimOne());
      expect([...(d.last?.added ?? [])].map(([, n]) => n)).toEqual([1]);
    });

    test("knows since when everything is delayed", async (d) => {
      await d.add({ id: "a", startDelayMs: 5_000 });
      expect((await d.describe()).delayedSince).toBe(start);
      d.now += 1_000;
      await d.add({ id: "b" });
      expect(await d.describe()).not.toHaveProperty("delayedSince");
      d.now += 1_000;
      await d.fail(await d.claimOne());
      expect((await d.describe()).delayedSince).toBe(d.now);
      const since = d.now;
      await d.crash(500);
      expect((await d.describe()).delayedSince).toBe(since);
      await d.cancel(["a", "b"]);
      expect(await d.describe()).not.toHaveProperty("delayedSince");
    });
  });
}
