import { expect } from "vitest";
import { action, activities, failure, newTask, start, type Driver } from "./driver.ts";
import { chapter, type Harness } from "./harness.ts";
import { configure } from "./settings.ts";

const remove = { verb: "delete-queue", queue: activities, limit: 100, action } as const;

async function names(d: Driver): Promise<readonly string[]> {
  const { items } = await d.store.listTaskQueues("default", { namePrefix: "" }, { size: 100 });
  return items.map(({ queue }) => queue.name);
}

async function calls(d: Driver): Promise<readonly string[]> {
  const { items } = await d.store.listEvents("default", {}, { size: 100 });
  return items.map(({ action: { call } }) => call);
}

/** Removing a queue. */
export function deleteQueue(harness: Harness): void {
  chapter("deleting a queue", harness, (test) => {
    test("removes what is set on it", async (d) => {
      await configure(d, { ratePerSecond: 5, fairnessKeys: new Map([["k", { maxStarted: 1 }]]) });
      await d.run({ verb: "pause", queue: activities, until: start + 60_000, action });
      await d.run({ verb: "drain", queue: activities, action });
      expect(await d.run(remove)).toEqual({ verb: "delete-queue", existed: true, more: false });
      const described = await d.describe();
      expect(described.config).toEqual({ revision: 0, fairnessKeys: new Map() });
      expect(described).not.toHaveProperty("pause");
      expect(described).not.toHaveProperty("drain");
      expect(await names(d)).toEqual([]);
      await d.pass(100_000);
      await d.add({ id: "a", fairnessKey: "k" }, { id: "b", fairnessKey: "k" });
      expect(await d.claimIds()).toEqual(["a", "b"]);
    });

    test("is refused while it has open or dead tasks", async (d) => {
      const refused = { verb: "delete-queue", refused: { reason: "queue-not-empty", index: 0, subject: "q" } };
      await configure(d, { ratePerSecond: 5 });
      await d.add({ id: "open" });
      expect(await d.run(remove)).toEqual(refused);
      await d.fail(await d.claimOne(), failure("Bad", { nonRetryable: true }));
      expect(await d.run(remove)).toEqual(refused);
      expect(await calls(d)).toHaveLength(1);
      expect((await d.describe()).config.ratePerSecond).toBe(5);
    });

    test("removes the closed tasks that it keeps, a few at a time, and no others", async (d) => {
      await d.add({ id: "elsewhere", queue: { ...activities, name: "q2" } });
      await d.add(...Array.from({ length: 5 }, (_, i) => ({ id: `${i}` })));
      await d.cancel(["elsewhere", ...Array.from({ length: 5 }, (_, i) => `${i}`)]);
      const few = { ...remove, limit: 2, request: { namespace: "default", id: "r" } };
      expect(await d.run(few)).toEqual({ verb: "delete-queue", existed: true, more: true });
      expect(await calls(d)).toEqual([]);
      await d.crash();
      expect(await d.run(few)).toEqual({ verb: "delete-queue", existed: true, more: true });
      const done = { verb: "delete-queue", existed: true, more: false };
      expect(await d.run(few)).toEqual(done);
      expect(await d.states("0", "4", "elsewhere")).toEqual(["gone", "gone", "canceled"]);
      expect(await names(d)).toEqual(["q2"]);
      expect(await calls(d)).toEqual(["Test"]);
      // Repeated, it is the same call: a queue that came back meanwhile stays.
      await d.add({ id: "back" });
      expect(await d.run(few)).toEqual(done);
      expect(await d.state("back")).toBe("ready");
    });

    test("finds them however many tasks of others lie before them", async (d) => {
      const elsewhere = { ...activities, name: "q2" };
      const ids = Array.from({ length: 6_000 }, (_, i) => `${i}`);
      const tasks = ids.map((id) => newTask({ id, queue: elsewhere }));
      await d.commit([
        { verb: "add", tasks: [...tasks, newTask({ id: "mine" })] },
        { verb: "cancel", namespace: "default", ids: [...ids, "mine"], force: false, reason: "" },
      ]);
      expect(await d.run(remove)).toEqual({ verb: "delete-queue", existed: true, more: true });
      expect(await d.run(remove)).toEqual({ verb: "delete-queue", existed: true, more: false });
      expect(await d.state("mine")).toBe("gone");
    });

    test("of one that is not there does nothing, and is no error", async (d) => {
      expect(await d.run(remove)).toEqual({ verb: "delete-queue", existed: false, more: false });
      expect(await calls(d)).toEqual([]);
      expect(await d.run({ ...remove, queue: { ...activities, namespace: "nowhere" } })).toEqual({
        verb: "delete-queue",
        refused: { reason: "namespace-not-found", index: 0, subject: "nowhere" },
      });
    });

    test("drained and purged for it, leaves one event that is brought up to date with each step", async (d) => {
      await d.add(...["a", "b", "c", "d"].map((id) => ({ id })));
      const events = async () => {
        const { items } = await d.store.listEvents("default", {}, { size: 10 });
        return items.map(({ id, changed, queue }) => ({ id, changed, queue }));
      };
      const drained = await d.run({ verb: "drain", queue: activities, action });
      if ("refused" in drained) throw new Error("refused");
      const { event: id } = drained;
      expect(await events()).toEqual([{ id, changed: 0, queue: activities }]);
      const filter = { queueName: "q", queueKind: "activity" } as const;
      const change = { kind: "purge", silent: true } as const;
      const purge = { verb: "change-tasks", namespace: "default", filter, change, dryRun: false, examine: 2 } as const;
      const first = await d.run({ ...purge, action, event: { id, changed: 0 } });
      if ("refused" in first || first.next === undefined) throw new Error("there is more");
      expect(await events()).toEqual([{ id, changed: 2, queue: activities }]);
      await d.run({ ...purge, action, event: { id, changed: 0 }, cursor: first.next });
      expect(await events()).toEqual([{ id, changed: 4, queue: activities }]);
      const event = { id, changed: 4 };
      expect(await d.run({ ...remove, event })).toMatchObject({ existed: true, more: false });
      expect(await events()).toEqual([{ id, changed: 4, queue: activities }]);
    });
  });
}
