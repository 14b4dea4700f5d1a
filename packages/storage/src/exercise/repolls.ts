import { expect } from "vitest";
import { action, start } from "./driver.ts";
import { chapter, type Harness } from "./harness.ts";

const again = { verb: "repoll", namespace: "default", workerId: "w1", pollId: "p", maxBytes: 1e9 } as const;

/** A poll that is repeated after a broken connection is answered with the same tasks. */
export function repolls(harness: Harness): void {
  chapter("repolls", harness, (test) => {
    test("give again what is still leased to the poll, under the same leases", async (d) => {
      await d.add({ id: "a" }, { id: "b" }, { id: "c" });
      const tasks = await d.claim({ pollId: "p", slots: 2 });
      await d.claim({ pollId: "another" });
      const { tasks: repeated } = await d.run(again);
      expect(repeated).toEqual(tasks);
    });

    test("leave out what was answered or lost since", async (d) => {
      await d.add({ id: "a" }, { id: "b" }, { id: "c" });
      const [a, b] = await d.claim({ pollId: "p" });
      if (!a || !b) throw new Error("nothing claimed");
      await d.complete(a);
      await d.giveBack("undelivered", b);
      expect((await d.run(again)).tasks.map((task) => task.id)).toEqual(["c"]);
    });

    test("answer over a restart, too", async (d) => {
      await d.add({ id: "a", headers: { h: "v" } });
      const [task] = await d.claim({ pollId: "p" });
      await d.crash();
      expect((await d.run(again)).tasks).toEqual([task]);
    });

    test("can be told beforehand to have an answer", async (d) => {
      await d.add({ id: "a" }, { id: "b" });
      const [a] = await d.claim({ pollId: "p" });
      expect(await d.store.countLeased("default", "w1", "p")).toBe(2);
      if (a) await d.complete(a);
      expect(await d.store.countLeased("default", "w1", "p")).toBe(1);
      for (const [namespace, worker, poll] of [
        ["default", "w2", "p"],
        ["default", "w1", "other"],
        ["default", "w1", ""],
        ["nowhere", "w1", "p"],
      ] as const) {
        expect(await d.store.countLeased(namespace, worker, poll)).toBe(0);
      }
    });

    test("renew the leases", async (d) => {
      await d.add({ id: "a" });
      await d.claim({ pollId: "p", leaseMs: 10_000 });
      d.now += 5_000;
      await d.run(again);
      expect((await d.task("a")).started?.leaseUntil).toBe(start + 15_000);
    });

    test("find nothing for another worker, poll or namespace, or without an id", async (d) => {
      await d.run({ verb: "create-namespace", name: "other", description: "", action });
      await d.add({ id: "a" }, { id: "b" });
      await d.claim({ pollId: "p", slots: 1 });
      await d.claim({ pollId: "" });
      for (const other of [
        { workerId: "w2" },
        { pollId: "p2" },
        { namespace: "other" },
        { namespace: "no" },
        { pollId: "" },
      ]) {
        expect(await d.run({ ...again, ...other })).toEqual({ verb: "repoll", tasks: [] });
      }
    });

    test("stay below the bytes, with one task at least", async (d) => {
      const input = new Uint8Array(10_000);
      await d.add({ id: "a", input }, { id: "b", input });
      await d.claim({ pollId: "p" });
      expect((await d.run({ ...again, maxBytes: 15_000 })).tasks).toHaveLength(1);
      expect((await d.run({ ...again, maxBytes: 10 })).tasks).toHaveLength(1);
    });
  });
}
