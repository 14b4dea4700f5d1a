import { expect } from "vitest";
import { activities, failure } from "./driver.ts";
import { chapter, type Harness } from "./harness.ts";

/** At most one task of each serial key is placed or started, in order of adding. */
export function serialKeys(harness: Harness): void {
  chapter("serial keys", harness, (test) => {
    const line = ["a", "b", "c"].map((id) => ({ id, serialKey: "s" }));

    test("runs one at a time, in order of adding", async (d) => {
      await d.add(...line);
      expect(await d.describe()).toMatchObject({ counts: { ready: 3 }, waitForSerialKey: 2 });
      expect((await d.describe()).placedByType).toEqual(new Map([["t", 1]]));
      expect((await d.task("b")).waitsForSerialKey).toBe(true);
      for (const id of ["a", "b", "c"]) {
        const [task, ...more] = await d.claim();
        expect([task?.id, more]).toEqual([id, []]);
        if (task) await d.complete(task);
      }
      expect((await d.describe()).waitForSerialKey).toBe(0);
    });

    test("holds up no other key, and no task without one", async (d) => {
      await d.add(...line, { id: "other", serialKey: "t" }, { id: "free" });
      expect(await d.claimIds()).toEqual(["a", "other", "free"]);
    });

    test("the same key in another queue is another key", async (d) => {
      await d.add(...line, { id: "x", serialKey: "s", queue: { ...activities, name: "q2" } });
      await d.claimOne();
      expect(await d.claimIds({ queue: { ...activities, name: "q2" } })).toEqual(["x"]);
    });

    test("a back-off keeps its turn", async (d) => {
      await d.add(...line);
      await d.fail(await d.claimOne());
      expect(await d.claim()).toEqual([]);
      await d.pass(1_000);
      expect(await d.claimIds()).toEqual(["a"]);
    });

    test("a released task keeps its turn", async (d) => {
      await d.add(...line);
      await d.release(await d.claimOne());
      expect(await d.claimIds()).toEqual(["a"]);
    });

    test("the next one is placed when the first fails for good", async (d) => {
      await d.add(...line);
      await d.fail(await d.claimOne(), failure("Bad", { nonRetryable: true }));
      expect(await d.claimIds()).toEqual(["b"]);
    });

    test("the next one is placed when the first is canceled while it backs off", async (d) => {
      await d.add(...line);
      await d.fail(await d.claimOne());
      await d.cancel(["a"]);
      expect(await d.claimIds()).toEqual(["b"]);
      expect((await d.pass(10_000)).promoted).toBe(0);
    });

    test("the next one is placed when the first is canceled while it is placed", async (d) => {
      await d.add(...line);
      await d.cancel(["a"]);
      expect(await d.claimIds()).toEqual(["b"]);
    });

    test("the next one is placed when the first is taken away", async (d) => {
      await d.add(...line);
      await d.claimOne();
      await d.cancel(["a"], true);
      expect(await d.claimIds()).toEqual(["b"]);
    });

    test("one that waits can be canceled, from wherever in the line", async (d) => {
      await d.add(...line);
      expect(await d.cancel(["b"])).toEqual(["canceled"]);
      expect((await d.describe()).counts.ready).toBe(2);
      await d.complete(await d.claimOne());
      expect(await d.claimIds()).toEqual(["c"]);
    });

    test("one that is delayed holds up nobody, and joins the line when its delay is over", async (d) => {
      await d.add({ id: "late", serialKey: "s", startDelayMs: 1_000 }, ...line);
      expect(await d.cancel(["a"])).toEqual(["canceled"]);
      await d.pass(1_000);
      expect((await d.task("late")).waitsForSerialKey).toBe(true);
      for (const id of ["b", "c", "late"]) {
        const task = await d.claimOne();
        expect(task.id).toBe(id);
        await d.complete(task);
      }
    });

    test("one that is delayed can be canceled", async (d) => {
      await d.add({ id: "late", serialKey: "s", startDelayMs: 1_000 }, ...line);
      expect(await d.cancel(["late"])).toEqual(["canceled"]);
      expect((await d.pass(1_000)).promoted).toBe(0);
      expect(await d.claimIds()).toEqual(["a"]);
    });

    test("all of a line can be canceled in one call", async (d) => {
      await d.add(...line);
      expect(await d.cancel(["a", "b", "c"])).toEqual(["canceled", "canceled", "canceled"]);
      expect((await d.describe()).counts.ready).toBe(0);
      await d.add({ id: "new", serialKey: "s" });
      expect(await d.claimIds()).toEqual(["new"]);
    });

    test("the next one gets its place when it is its turn, behind what is ready by then", async (d) => {
      await d.add(...line);
      const first = await d.claimOne();
      await d.add({ id: "free" });
      await d.complete(first);
      expect(await d.claimIds()).toEqual(["free", "b"]);
    });

    test("the line survives a crash", async (d) => {
      await d.add(...line);
      const first = await d.claimOne();
      await d.crash();
      expect(await d.claim()).toEqual([]);
      await d.complete(first);
      expect(await d.claimIds()).toEqual(["b"]);
    });
  });
}
