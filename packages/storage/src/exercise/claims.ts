import { expect } from "vitest";
import { activities, bytes, claimOrder, start, text, workflows } from "./driver.ts";
import { chapter, type Harness } from "./harness.ts";

/** Claims: who gets what, how many, and when there is nothing more. */
export function claims(harness: Harness): void {
  chapter("claims", harness, (test) => {
    test("gives a worker all that it needs to run a task", async (d) => {
      await d.add({
        id: "a",
        type: "resize",
        input: bytes("input"),
        headers: { h: "v" },
        serialKey: "s",
        fairnessKey: "k",
        timeouts: { heartbeatMs: 5_000 },
      });
      d.now += 100;
      const task = await d.claimOne({ leaseMs: 2_000 });
      expect(task).toMatchObject({
        id: "a",
        run: 1,
        queue: activities,
        type: "resize",
        attempt: 1,
        headers: { h: "v" },
        serialKey: "s",
        fairnessKey: "k",
        addedAt: start,
        startedAt: start + 100,
        leaseMs: 2_000,
        timeouts: { heartbeatMs: 5_000 },
      });
      expect(text(task.input)).toBe("input");
      const { started } = await d.task("a");
      expect(started).toMatchObject({
        at: start + 100,
        workerId: "w1",
        leaseUntil: start + 2_100,
        cancelRequested: false,
      });
      expect(started?.leaseNo).toBe(task.lease.leaseNo);
    });

    test("gives a task to nobody else while it is leased", async (d) => {
      await d.add({ id: "a" });
      await d.claimOne();
      expect(await d.claim({ workerId: "w2" })).toEqual([]);
    });

    test("never gives more than the slots", async (d) => {
      await d.add({ id: "a" }, { id: "b" }, { id: "c" });
      expect(await d.claimIds({ slots: 2 })).toEqual(["a", "b"]);
      expect(d.last?.claims).toEqual([{ dry: false }]);
      expect(await d.claimIds({ slots: 2 })).toEqual(["c"]);
      expect(d.last?.claims).toEqual([{ dry: true }]);
    });

    test("counts slots that two queues share once", async (d) => {
      await d.add({ id: "a" }, { id: "b" }, { id: "w", queue: workflows });
      const offer = claimOrder({ slots: 2 }).offers;
      const { granted, claims: outcomes } = await d.commit([], () => ({
        offers: offer,
        claims: [
          { queue: activities, types: null, offers: [0] },
          { queue: workflows, types: null, offers: [0] },
        ],
      }));
      expect(granted[0]?.map((task) => task.id)).toEqual(["a", "b"]);
      expect(outcomes[1]).toEqual({ dry: false });
    });

    const offer = (workerId: string, slots: number) => ({ workerId, pollId: "", leaseMs: 1_000, slots, maxBytes: 1e6 });

    test("deals one claim out among its workers in turn", async (d) => {
      await d.add(...["a", "b", "c", "d", "e"].map((id) => ({ id })));
      const { granted } = await d.commit([], () => ({
        offers: [offer("w1", 1), offer("w2", 9), offer("w3", 9)],
        claims: [{ queue: activities, types: null, offers: [0, 1, 2] }],
      }));
      expect(granted.map((tasks) => tasks.map((task) => task.id))).toEqual([["a"], ["b", "d"], ["c", "e"]]);
      expect((await d.task("c")).started?.workerId).toBe("w3");
    });

    test("fills one offer of a worker before its next, and gives each worker as many", async (d) => {
      await d.add(...["a", "b", "c", "d", "e"].map((id) => ({ id })));
      const { granted } = await d.commit([], () => ({
        offers: [offer("w1", 2), offer("w1", 9), offer("w2", 9)],
        claims: [{ queue: activities, types: null, offers: [0, 1, 2] }],
      }));
      expect(granted.map((tasks) => tasks.map((task) => task.id))).toEqual([["a", "c"], ["e"], ["b", "d"]]);
    });

    test("gives only the types that are asked for", async (d) => {
      await d.add({ id: "a", type: "x" }, { id: "b", type: "y" }, { id: "c", type: "z" }, { id: "d", type: "x" });
      expect(await d.claimIds({ types: ["x", "z"] })).toEqual(["a", "c", "d"]);
      expect(await d.claimIds({ types: ["nothing"] })).toEqual([]);
      expect(d.last?.claims).toEqual([{ dry: true }]);
      expect(await d.claimIds()).toEqual(["b"]);
    });

    test("stops at the bytes, but one task goes through however large", async (d) => {
      await d.add({ id: "a", input: new Uint8Array(10_000) }, { id: "b", input: new Uint8Array(10_000) }, { id: "c" });
      expect(await d.claimIds({ maxBytes: 5_000 })).toEqual(["a"]);
      expect(d.last?.claims).toEqual([{ dry: false }]);
      expect(await d.claimIds({ maxBytes: 20_000 })).toEqual(["b", "c"]);
    });

    test("finds nothing in a queue that does not exist, and creates none", async (d) => {
      expect(await d.claim({ queue: { ...activities, name: "nowhere" } })).toEqual([]);
      expect(d.last?.claims).toEqual([{ dry: true }]);
      expect((await d.store.listTaskQueues("default", { namePrefix: "" }, { size: 10 })).items).toEqual([]);
    });

    test("finds what an earlier operation of the same commit made ready", async (d) => {
      await d.add({ id: "a", serialKey: "s" }, { id: "b", serialKey: "s" });
      const first = await d.claimOne();
      const answers = [{ lease: first.lease, kind: "completed" as const, commands: [] }];
      const { granted } = await d.commit([{ verb: "answer", namespace: "default", answers }], () => claimOrder({}));
      expect(granted[0]?.map((task) => task.id)).toEqual(["b"]);
    });

    test("never gives two leases the same number", async (d) => {
      await d.add({ id: "a" }, { id: "b" });
      const numbers = new Set<number>();
      for (let i = 0; i < 3; i++) {
        const tasks = await d.claim();
        for (const task of tasks) numbers.add(task.lease.leaseNo);
        await d.giveBack("undelivered", ...tasks);
        if (i === 1) await d.reopen();
      }
      expect(numbers.size).toBe(6);
    });
  });
}
