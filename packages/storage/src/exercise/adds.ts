import { expect } from "vitest";
import { action, activities, bytes, failure, newTask, start, text, workflows } from "./driver.ts";
import { chapter, type Harness } from "./harness.ts";

/** Adding tasks: ids, batches, what is kept of a task. */
export function adds(harness: Harness): void {
  chapter("adds", harness, (test) => {
    test("keeps everything that a task says", async (d) => {
      const task = newTask({
        id: "a",
        queue: activities,
        type: "resize",
        input: bytes("input"),
        priority: 2,
        fairnessKey: "tenant",
        fairnessWeight: 2.5,
        serialKey: "s",
        headers: { trace: "1", ünïcode: "✓" },
        timeouts: { scheduleToStartMs: 1, startToCloseMs: 2, scheduleToCloseMs: 3, heartbeatMs: 4 },
        fallback: { queueName: "other", type: "shrink", input: bytes("less") },
        onClose: {
          queueName: "engine",
          type: "closed",
          serialKey: "flow",
          context: bytes("context"),
          priority: 1,
          headers: { h: "v" },
        },
      });
      const result = await d.run({ verb: "add", tasks: [task] });
      expect(result).toEqual({ verb: "add", added: [{ id: "a", run: 1, existed: false }] });

      const record = await d.task("a");
      expect(record).toMatchObject({
        id: "a",
        run: 1,
        queue: activities,
        type: "resize",
        state: "ready",
        attempt: 0,
        priority: 2,
        fairnessKey: "tenant",
        fairnessWeight: 2.5,
        serialKey: "s",
        addedAt: start,
        waitsForSerialKey: false,
        headers: task.headers,
        timeouts: task.timeouts,
        retryPolicy: task.retryPolicy,
        failedAttempts: [],
      });
      expect(text(record.input)).toBe("input");
      expect(record.fallback).toMatchObject({ queueName: "other", type: "shrink" });
      expect(text(record.fallback?.input)).toBe("less");
      expect(record.onClose).toMatchObject({ queueName: "engine", type: "closed", serialKey: "flow", priority: 1 });
      expect(record.onClose?.headers).toEqual({ h: "v" });
      expect(text(record.onClose?.context)).toBe("context");
      expect(record).not.toHaveProperty("dueAt");
      expect(record).not.toHaveProperty("outcome");
    });

    test("answers an open id with the open task, and adds nothing", async (d) => {
      await d.add({ id: "a", type: "one" });
      expect(await d.add({ id: "a", type: "two" })).toEqual([{ id: "a", run: 1, existed: true }]);
      expect((await d.task("a")).type).toBe("one");
      expect((await d.describe()).counts.ready).toBe(1);
    });

    test("refuses the id of a closed task that is kept, by default", async (d) => {
      await d.add({ id: "a" });
      await d.complete(await d.claimOne());
      expect(await d.refusal({ id: "b" }, { id: "a" })).toEqual({ reason: "task-id-taken", index: 1, subject: "a" });
      expect(await d.state("b")).toBe("gone");
      expect(await d.refusal({ id: "a", idPolicy: "allow-if-dead" })).toMatchObject({ reason: "task-id-taken" });
    });

    test("allows it with a new run where the policy does", async (d) => {
      await d.add({ id: "a" });
      await d.complete(await d.claimOne());
      expect(await d.add({ id: "a", idPolicy: "allow" })).toEqual([{ id: "a", run: 2, existed: false }]);
      expect(await d.task("a")).toMatchObject({ run: 2, state: "ready", attempt: 0, failedAttempts: [] });
    });

    test("allows the id of a dead task where the policy does", async (d) => {
      await d.add({ id: "a" });
      await d.fail(await d.claimOne(), failure("Boom", { nonRetryable: true }));
      expect((await d.describe()).counts.dead).toBe(1);
      expect(await d.add({ id: "a", idPolicy: "allow-if-dead" })).toEqual([{ id: "a", run: 2, existed: false }]);
      expect((await d.describe()).counts).toEqual({ scheduled: 0, ready: 1, started: 0, dead: 0 });
      expect((await d.claimOne()).run).toBe(2);
    });

    test("a replaced task is not swept away with its former run's time", async (d) => {
      await d.add({ id: "a", retentionMs: 1_000 });
      await d.complete(await d.claimOne());
      await d.add({ id: "a", idPolicy: "allow" });
      await d.pass(5_000);
      expect(await d.state("a")).toBe("ready");
    });

    test("an id is free again once the task has been removed", async (d) => {
      await d.add({ id: "a", retentionMs: 0 });
      await d.complete(await d.claimOne());
      expect(await d.state("a")).toBe("gone");
      expect(await d.add({ id: "a" })).toEqual([{ id: "a", run: 1, existed: false }]);
    });

    test("adds all of a batch or none", async (d) => {
      expect(await d.refusal({ id: "a" }, { id: "b" }, { id: "a" })).toEqual({
        reason: "duplicate-id",
        index: 2,
        subject: "a",
      });
      expect(await d.states("a", "b")).toEqual(["gone", "gone"]);
      expect((await d.describe()).counts.ready).toBe(0);
    });

    test("refuses a namespace that nobody created", async (d) => {
      const refusal = await d.refusal({ id: "a", queue: { ...activities, namespace: "nowhere" } });
      expect(refusal).toEqual({ reason: "namespace-not-found", index: 0, subject: "nowhere" });
    });

    test("the same id in two namespaces names two tasks", async (d) => {
      await d.run({ verb: "create-namespace", name: "other", description: "", action });
      await d.add({ id: "a", type: "here" });
      await d.add({ id: "a", type: "there", queue: { ...activities, namespace: "other" } });
      const [here] = await d.store.getTasks("default", ["a"]);
      const [there] = await d.store.getTasks("other", ["a"]);
      expect([here?.type, there?.type]).toEqual(["here", "there"]);
      expect(await d.claimIds()).toEqual(["a"]);
    });

    test("the two kinds of queue share nothing but the name", async (d) => {
      await d.add({ id: "a" }, { id: "b", queue: { ...activities, kind: "workflow" } });
      expect(await d.claimIds()).toEqual(["a"]);
      expect((await d.describe({ ...activities, kind: "workflow" })).counts.ready).toBe(1);
    });

    test("a task that is added can be leased in the same commit", async (d) => {
      const operations = [{ verb: "add" as const, tasks: [newTask({ id: "a", queue: workflows })] }];
      const { granted, added } = await d.commit(operations, (touched) => {
        expect([...touched.values()]).toEqual([workflows]);
        return {
          offers: [{ workerId: "w1", pollId: "", leaseMs: 1_000, slots: 1, maxBytes: 1e6 }],
          claims: [{ queue: workflows, types: null, offers: [0] }],
        };
      });
      expect(granted.map((tasks) => tasks.map((task) => task.id))).toEqual([["a"]]);
      expect([...added.values()]).toEqual([1]);
    });

    test("refuses a queue its 1,001st waiting type", async (d) => {
      await d.add(...Array.from({ length: 1_000 }, (_, i) => ({ id: `${i}`, type: `type ${i}` })));
      expect(await d.refusal({ id: "more", type: "one more" })).toEqual({
        reason: "too-many-types",
        index: 0,
        subject: "one more",
      });
      await d.add({ id: "same", type: "type 7" });
      await d.cancel(["500"]);
      await d.add({ id: "more", type: "one more" });
    });

    test("creates a namespace once", async (d) => {
      const created = { name: "n", description: "mine", createdAt: start };
      expect(await d.run({ verb: "create-namespace", name: "n", description: "mine", action })).toEqual({
        verb: "create-namespace",
        existed: false,
        namespace: created,
      });
      d.now += 1_000;
      expect(await d.run({ verb: "create-namespace", name: "n", description: "yours", action })).toMatchObject({
        existed: true,
        namespace: created,
      });
      expect((await d.store.listNamespaces()).map(({ name }) => name)).toEqual(["default", "n"]);
      expect([await d.store.hasNamespace("n"), await d.store.hasNamespace("m")]).toEqual([true, false]);
    });
  });
}
