import type { Priority } from "@tq/matching-core";
import { expect } from "vitest";
import { failure, type Driver, type SomeTask } from "./driver.ts";
import { chapter, type Harness } from "./harness.ts";

const many = (n: number, prefix: string, task: Partial<SomeTask> = {}): SomeTask[] =>
  Array.from({ length: n }, (_, i) => ({ ...task, id: `${prefix}${i}` }));

/** How often each of the first characters comes up. */
function shares(ids: readonly string[]): Record<string, number> {
  const shares: Record<string, number> = {};
  for (const id of ids) shares[id.charAt(0)] = (shares[id.charAt(0)] ?? 0) + 1;
  return shares;
}

async function completeAll(d: Driver, claim: Parameters<Driver["claim"]>[0]): Promise<string[]> {
  const tasks = await d.claim(claim);
  await d.answers(tasks.map(({ lease }) => ({ lease, kind: "completed", commands: [] })));
  return tasks.map((task) => task.id);
}

/** The order of dispatch: priority, then fair over keys, then first in first out. */
export function order(harness: Harness): void {
  chapter("order", harness, (test) => {
    test("first in, first out", async (d) => {
      const tasks = many(1_000, "");
      await d.add(...tasks);
      const ids: string[] = [];
      for (let i = 0; i < 10; i++) ids.push(...(await completeAll(d, { slots: 100 })));
      expect(ids).toEqual(tasks.map((task) => task.id));
    });

    test("priority is strict", async (d) => {
      const tasks = ([3, 5, 1, 4, 2, 1] as Priority[]).map((priority, i) => ({ id: `${priority}.${i}`, priority }));
      await d.add(...tasks);
      expect(await d.claimIds()).toEqual(["1.2", "1.5", "2.4", "3.0", "4.3", "5.1"]);
    });

    test("a task that comes later goes first if it is more urgent", async (d) => {
      await d.add(...many(10, "a"));
      await d.claimIds({ slots: 5 });
      await d.add({ id: "urgent", priority: 1 });
      expect(await d.claimIds({ slots: 2 })).toEqual(["urgent", "a5"]);
    });

    test("keys share by turns, however long their backlogs", async (d) => {
      await d.add(...many(500, "a", { fairnessKey: "a" }));
      await d.add(...many(10, "b", { fairnessKey: "b" }), ...many(10, "c", { fairnessKey: "c" }));
      expect(shares(await d.claimIds({ slots: 30 }))).toEqual({ a: 10, b: 10, c: 10 });
    });

    test("keys share by their weights", async (d) => {
      await d.add(...many(400, "a", { fairnessKey: "a", fairnessWeight: 3 }));
      await d.add(...many(400, "b", { fairnessKey: "b", fairnessWeight: 1 }));
      const ids: string[] = [];
      for (let i = 0; i < 20; i++) ids.push(...(await completeAll(d, { slots: 20 })));
      const { a = 0, b = 0 } = shares(ids);
      expect(Math.abs(a - 3 * b)).toBeLessThanOrEqual(4);
    });

    test("inside a key the order of adding holds, over the change from light to heavy and back", async (d) => {
      const expected: string[] = [];
      const ids: string[] = [];
      let n = 0;
      for (const [adds, claims] of [
        [150, 20],
        [400, 300],
        [10, 200],
        [5, 45],
      ] as const) {
        const tasks = many(adds, `a${n++}.`, { fairnessKey: "a" });
        expected.push(...tasks.map((task) => task.id));
        await d.add(...tasks, ...many(adds, `b${n}.`, { fairnessKey: "b" }));
        for (let left = 2 * claims; left > 0; left -= 50)
          ids.push(...(await completeAll(d, { slots: Math.min(50, left) })));
      }
      expect(ids.filter((id) => id.startsWith("a"))).toEqual(expected);
    });

    test("inside a key the order of adding holds over types", async (d) => {
      const tasks = many(600, "a", { fairnessKey: "a" }).map((task, i) => ({ ...task, type: `t${i % 3}` }));
      await d.add(...tasks);
      const ids: string[] = [];
      for (let i = 0; i < 12; i++) ids.push(...(await completeAll(d, { slots: 50 })));
      expect(ids).toEqual(tasks.map((task) => task.id));
    });

    test("a worker of some types gets them in order, and leaves the others in order", async (d) => {
      const tasks = many(600, "a", { fairnessKey: "a" }).map((task, i) => ({ ...task, type: `t${i % 3}` }));
      await d.add(...tasks);
      const ids = (type: string) => tasks.filter((task) => task.type === type).map((task) => task.id);
      expect(await completeAll(d, { slots: 1_000, types: ["t1"] })).toEqual(ids("t1"));
      const rest = tasks.filter((task) => task.type !== "t1").map((task) => task.id);
      expect(await completeAll(d, { slots: 100, types: ["t0", "t2"] })).toEqual(rest.slice(0, 100));
      expect(await completeAll(d, { slots: 1_000 })).toEqual(rest.slice(100));
    });

    test("a key of many types has no more than its share", async (d) => {
      await d.add(...many(900, "a", { fairnessKey: "a" }).map((task, i) => ({ ...task, type: `t${i % 3}` })));
      await d.add(...many(900, "b", { fairnessKey: "b" }));
      const ids: string[] = [];
      for (let i = 0; i < 8; i++) ids.push(...(await completeAll(d, { slots: 100 })));
      const { a = 0, b = 0 } = shares(ids);
      expect(Math.abs(a - b)).toBeLessThanOrEqual(8);
    });

    test("a key that comes back has neither debt nor credit", async (d) => {
      await d.add(...many(300, "a", { fairnessKey: "a" }));
      await completeAll(d, { slots: 200 });
      await d.add(...many(50, "b", { fairnessKey: "b" }));
      expect(shares(await completeAll(d, { slots: 60 }))).toEqual({ a: 30, b: 30 });
    });

    test("a key whose type nobody took for long shares with the others once somebody does", async (d) => {
      await d.add(...many(400, "a", { fairnessKey: "a", type: "rare" }), ...many(900, "b", { fairnessKey: "b" }));
      for (let i = 0; i < 6; i++) await completeAll(d, { slots: 100, types: ["t"] });
      // What stood in the order already keeps its place; what stands behind it has no credit.
      const inOrder = 192;
      await completeAll(d, { slots: inOrder, types: ["rare"] });
      const { a = 0, b = 0 } = shares(await completeAll(d, { slots: 100 }));
      expect(Math.abs(a - b)).toBeLessThanOrEqual(2);
    });

    test("a retry is placed anew, behind what is ready by then", async (d) => {
      await d.add(...many(3, "a"));
      const [first] = await d.claim({ slots: 1 });
      if (!first) throw new Error("nothing claimed");
      await d.fail(first, failure("Boom", { nextRetryDelayMs: 1_000 }));
      await d.pass(1_000);
      await d.add({ id: "new" });
      expect(await d.claimIds()).toEqual(["a1", "a2", "a0", "new"]);
    });

    test("a heavy key's task that comes back has its old place", async (d) => {
      await d.add(...many(300, "a", { fairnessKey: "a" }));
      await completeAll(d, { slots: 250 });
      const tasks = await d.claim({ slots: 3 });
      await d.add(...many(3, "n", { fairnessKey: "a" }));
      await d.giveBack("undelivered", ...tasks);
      expect(await d.claimIds({ slots: 4 })).toEqual(["a250", "a251", "a252", "a253"]);
    });

    test("a heavy key's tasks can be canceled wherever they stand", async (d) => {
      await d.add(...many(300, "a", { fairnessKey: "a" }), { id: "b", fairnessKey: "a", type: "other" });
      const canceled = ["a0", "a191", "a192", "a193", "a250", "a299"];
      await d.cancel(canceled);
      const ids = await completeAll(d, { slots: 1_000 });
      expect(ids).toEqual([...many(300, "a").map((task) => task.id), "b"].filter((id) => !canceled.includes(id)));
    });

    test("all of a heavy key's later tasks can be canceled, and more be added", async (d) => {
      await d.add(...many(300, "a", { fairnessKey: "a" }));
      await d.cancel(many(110, "a").map((_, i) => `a${i + 190}`));
      await d.add(...many(5, "n", { fairnessKey: "a" }));
      const ids = await completeAll(d, { slots: 1_000 });
      expect(ids).toEqual([...many(190, "a"), ...many(5, "n")].map((task) => task.id));
    });

    test("two types of a heavy key: canceling the first of one does not entangle the other", async (d) => {
      const of = (id: string, fairnessKey: string, type: string, fairnessWeight: number) => ({
        id,
        fairnessKey,
        type,
        fairnessWeight,
      });
      // A weight of 1000 behind one of 0.001 makes the key heavy at once; z1 has the same pass, and its place between.
      await d.add(of("k0", "k", "t", 0.001), of("z0", "z", "t", 0.001));
      await d.add(of("x1", "k", "x", 1_000), of("z1", "z", "z", 1), of("y1", "k", "y", 1_000));
      await d.add(of("x2", "k", "x", 1_000), of("y2", "k", "y", 1_000));
      await completeAll(d, { types: ["t"] });
      await d.cancel(["x1"]);
      // y1 comes by way of x's marker, since x1 has gone.
      const [first] = await d.claim({ slots: 1, types: ["x", "y", "z"] });
      expect(first?.id).toMatch(/y1|z1/);
      if (first) await d.giveBack("undelivered", first);
      const ids = await completeAll(d, { slots: 10 });
      expect(ids.filter((id) => id !== "z1")).toEqual(["y1", "x2", "y2"]);
    });
  });
}
