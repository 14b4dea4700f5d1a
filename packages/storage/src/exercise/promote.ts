import { expect } from "vitest";
import { activities, start } from "./driver.ts";
import { chapter, type Harness } from "./harness.ts";

/** Tasks become ready when their delay is over. */
export function promote(harness: Harness): void {
  chapter("promote", harness, (test) => {
    test("makes a delayed task ready when its time has come, and not before", async (d) => {
      await d.add({ id: "a", startDelayMs: 1_500 });
      expect(await d.task("a")).toMatchObject({ state: "scheduled", dueAt: start + 1_500 });
      expect(d.nextDue.promote).toBe(start + 1_500);
      expect(await d.claim()).toEqual([]);
      expect((await d.pass(1_499)).promoted).toBe(0);
      expect((await d.pass(1)).promoted).toBe(1);
      expect(await d.task("a")).toMatchObject({ state: "ready" });
      expect(d.nextDue).not.toHaveProperty("promote");
      expect(await d.claimIds()).toEqual(["a"]);
    });

    test("places by the time a task became ready, not by when it was added", async (d) => {
      await d.add({ id: "late", startDelayMs: 2_000 }, { id: "soon", startDelayMs: 1_000 }, { id: "now" });
      await d.pass(5_000);
      await d.add({ id: "new" });
      expect(await d.claimIds()).toEqual(["now", "soon", "late", "new"]);
    });

    test("does at most as many as it is told, and says when to come again", async (d) => {
      await d.add(...["a", "b", "c"].map((id) => ({ id, startDelayMs: 1_000 })));
      d.now += 1_000;
      expect(await d.run({ verb: "promote", limit: 2 })).toEqual({ verb: "promote", promoted: 2 });
      expect(d.nextDue.promote).toBe(start + 1_000);
      expect(await d.claimIds()).toEqual(["a", "b"]);
    });

    test("says which queue has something to claim", async (d) => {
      await d.add({ id: "a", startDelayMs: 1_000 });
      d.now += 1_000;
      await d.commit([{ verb: "promote", limit: 10 }], (touched) => {
        expect([...touched.values()]).toEqual([activities]);
        return { offers: [], claims: [] };
      });
    });
  });
}
