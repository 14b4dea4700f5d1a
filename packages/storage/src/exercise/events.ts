import { eventRetentionMs } from "@tq/matching-core";
import { expect } from "vitest";
import { action, activities, start, workflows, type Driver } from "./driver.ts";
import { chapter, type Harness } from "./harness.ts";

async function list(d: Driver, filter: Parameters<Driver["store"]["listEvents"]>[1] = {}, size = 100) {
  return d.store.listEvents("default", filter, { size });
}

/** What operators did: who, when, why. */
export function events(harness: Harness): void {
  chapter("events", harness, (test) => {
    test("say who did what to what, when and why, newest first", async (d) => {
      await d.run({ verb: "drain", queue: activities, action: { ...action, call: "DrainTaskQueue" } });
      d.now += 1_000;
      const request = JSON.stringify({ workerId: "w7" });
      const drain = { ...action, actor: "bob", reason: "old", call: "DrainWorker", request };
      await d.run({ verb: "drain-worker", namespace: "default", workerId: "w7", action: drain });
      const [second, first] = (await list(d)).items;
      expect(second).toMatchObject({ at: start + 1_000, action: drain, workerId: "w7", changed: 0 });
      expect(second).not.toHaveProperty("queue");
      expect(first).toMatchObject({ at: start, action: { call: "DrainTaskQueue" }, queue: activities });
      expect(first).not.toHaveProperty("workerId");
    });

    test("are listed by queue, page by page", async (d) => {
      for (const queue of [activities, workflows, activities, { ...workflows, name: "q" }, activities]) {
        await d.run({ verb: "drain", queue, action });
      }
      expect((await list(d, { queueName: "q" })).items).toHaveLength(4);
      expect((await list(d, { queueName: "q", queueKind: "workflow" })).items).toHaveLength(1);
      expect((await list(d, { queueKind: "workflow" })).items).toHaveLength(2);
      const ids: number[] = [];
      let after: string | undefined;
      do {
        const page = await d.store.listEvents(
          "default",
          { queueName: "q", queueKind: "activity" },
          { size: 2, ...(after !== undefined && { after }) },
        );
        expect(page.items.length).toBeLessThanOrEqual(2);
        ids.push(...page.items.map(({ id }) => id));
        after = page.next;
      } while (after !== undefined);
      expect(ids).toEqual(ids.toSorted((a, b) => b - a));
      expect(ids).toHaveLength(3);
    });

    test("are of their namespace", async (d) => {
      await d.run({ verb: "create-namespace", name: "other", description: "", action });
      await d.run({ verb: "drain", queue: { ...activities, namespace: "other" }, action });
      expect((await list(d)).items).toEqual([]);
      expect((await d.store.listEvents("other", {}, { size: 9 })).items).toHaveLength(2);
      expect((await d.store.listEvents("nowhere", {}, { size: 9 })).items).toEqual([]);
    });

    test("go when they are old", async (d) => {
      await d.run({ verb: "drain-worker", namespace: "default", workerId: "w", action });
      await d.pass(eventRetentionMs - 1);
      expect((await list(d)).items).toHaveLength(1);
      expect(d.nextDue.sweep).toBe(start + eventRetentionMs);
      await d.pass(1);
      expect((await list(d)).items).toEqual([]);
    });
  });

  chapter("a drained worker", harness, (test) => {
    const drain = { verb: "drain-worker", namespace: "default", workerId: "w7", action } as const;

    test("is remembered over a restart, for a day", async (d) => {
      expect(await d.run(drain)).toEqual({ verb: "drain-worker" });
      await d.crash();
      expect(d.opened?.drainedWorkers).toEqual([{ namespace: "default", workerId: "w7" }]);
      await d.pass(24 * 3_600_000);
      await d.crash();
      expect(d.opened?.drainedWorkers).toEqual([]);
    });

    test("is drained once for each request id, in a namespace that exists", async (d) => {
      const request = { namespace: "default", id: "r" };
      await d.run({ ...drain, request });
      expect(await d.run({ ...drain, request })).toEqual({ verb: "drain-worker" });
      expect((await list(d)).items).toHaveLength(1);
      expect(await d.run({ ...drain, request, workerId: "w8" })).toMatchObject({
        refused: { reason: "request-id-reused" },
      });
      expect(await d.run({ ...drain, namespace: "nowhere" })).toEqual({
        verb: "drain-worker",
        refused: { reason: "namespace-not-found", index: 0, subject: "nowhere" },
      });
    });
  });
}
