import { expect } from "vitest";
import type { TaskFilter } from "../store.ts";
import { action, activities, failure, start, workflows, type Driver } from "./driver.ts";
import { chapter, type Harness } from "./harness.ts";

async function list(d: Driver, filter: TaskFilter): Promise<readonly string[]> {
  const { items } = await d.store.listTasks("default", filter, { size: 100, examine: 10_000, maxBytes: Infinity });
  return items.map((task) => task.id);
}

/** Lists of tasks and of queues, page by page. */
export function lists(harness: Harness): void {
  chapter("lists", harness, (test) => {
    test("tasks come in order of adding, page by page", async (d) => {
      const ids = Array.from({ length: 25 }, (_, i) => `${i}`);
      await d.add(...ids.map((id) => ({ id })));
      const seen: string[] = [];
      let after: string | undefined;
      do {
        const page = await d.store.listTasks(
          "default",
          {},
          { size: 10, examine: 7, maxBytes: Infinity, ...(after !== undefined && { after }) },
        );
        expect(page.items.length).toBeLessThanOrEqual(7);
        seen.push(...page.items.map((task) => task.id));
        after = page.next;
      } while (after !== undefined);
      expect(seen).toEqual(ids);
    });

    test("a page is never larger than asked for", async (d) => {
      await d.add(...["a", "b", "c"].map((id) => ({ id })));
      const page = await d.store.listTasks("default", {}, { size: 2, examine: 100, maxBytes: Infinity });
      expect(page.items.map((task) => task.id)).toEqual(["a", "b"]);
      expect(page.next).toBeDefined();
    });

    test("a list looks at no more tasks than it may, whosever they are", async (d) => {
      await d.run({ verb: "create-namespace", name: "other", description: "", action });
      const there = { ...activities, namespace: "other" };
      await d.add(...Array.from({ length: 30 }, (_, i) => ({ id: `${i}`, queue: there })));
      await d.add({ id: "mine" });
      const seen: string[] = [];
      let pages = 0;
      let after: string | undefined;
      do {
        const page = await d.store.listTasks(
          "default",
          {},
          { size: 10, examine: 10, maxBytes: Infinity, ...(after !== undefined && { after }) },
        );
        seen.push(...page.items.map((task) => task.id));
        after = page.next;
        pages += 1;
      } while (after !== undefined);
      expect(seen).toEqual(["mine"]);
      expect(pages).toBeGreaterThan(1);
    });

    test("filters hold all together", async (d) => {
      await d.add({ id: "job/1", type: "x", priority: 1, fairnessKey: "k" });
      await d.fail(await d.claimOne(), failure("Bad", { nonRetryable: true, message: "Disk Full" }));
      await d.add({ id: "job/2", type: "x" });
      await d.claimOne({ workerId: "w9" });
      d.now += 1_000;
      await d.add({ id: "job/3", type: "y", serialKey: "s" }, { id: "w", queue: workflows });
      d.now += 1_000;
      await d.cancel(["w"]);

      expect(await list(d, {})).toEqual(["job/1", "job/2", "job/3", "w"]);
      expect(await list(d, { queueName: "w" })).toEqual(["w"]);
      expect(await list(d, { queueKind: "activity" })).toEqual(["job/1", "job/2", "job/3"]);
      expect(await list(d, { states: ["ready", "canceled"] })).toEqual(["job/3", "w"]);
      expect(await list(d, { types: ["x"] })).toEqual(["job/1", "job/2"]);
      expect(await list(d, { idPrefix: "job/" })).toEqual(["job/1", "job/2", "job/3"]);
      expect(await list(d, { workerIds: ["w9"] })).toEqual(["job/2"]);
      expect(await list(d, { workerIds: [] })).toEqual([]);
      expect(await list(d, { priorities: [1] })).toEqual(["job/1"]);
      expect(await list(d, { fairnessKeys: ["k"] })).toEqual(["job/1"]);
      expect(await list(d, { serialKeys: ["s"] })).toEqual(["job/3"]);
      expect(await list(d, { addedAfter: start })).toEqual(["job/3", "w"]);
      expect(await list(d, { addedBefore: start + 1_000 })).toEqual(["job/1", "job/2"]);
      expect(await list(d, { closedAfter: start })).toEqual(["w"]);
      expect(await list(d, { closedBefore: start + 1_000 })).toEqual(["job/1"]);
      expect(await list(d, { failureType: "Bad" })).toEqual(["job/1"]);
      expect(await list(d, { failureText: "disk full" })).toEqual(["job/1"]);
      expect(await list(d, { types: ["x"], states: ["started"] })).toEqual(["job/2"]);
    });

    test("ids are looked up, however many others there are", async (d) => {
      await d.add(...Array.from({ length: 50 }, (_, i) => ({ id: `${i}`, type: i === 30 ? "other" : "t" })));
      const ids = ["40", "nobody", "30", "7", "40"];
      const page = await d.store.listTasks("default", { ids, types: ["t"] }, { size: 9, examine: 2, maxBytes: 1e9 });
      expect(page.items.map(({ id }) => id)).toEqual(["7"]);
      const { next: after = "" } = page;
      const rest = await d.store.listTasks("default", { ids }, { size: 9, examine: 2, maxBytes: 1e9, after });
      expect(rest).toMatchObject({ items: [{ id: "40" }] });
      expect(rest).not.toHaveProperty("next");
    });

    test("an unknown namespace has nothing", async (d) => {
      expect(await d.store.listTasks("nowhere", {}, { size: 1, examine: 1, maxBytes: Infinity })).toEqual({
        items: [],
      });
      expect(await d.store.listTaskQueues("nowhere", { namePrefix: "" }, { size: 1 })).toEqual({ items: [] });
      expect(await d.store.getTasks("nowhere", ["a", "b"])).toEqual([undefined, undefined]);
    });

    test("queues come in order of name and kind, page by page", async (d) => {
      const names = ["b", "a", "ab", "c", "abc"];
      for (const name of names) {
        for (const kind of ["workflow", "activity"] as const) {
          await d.add({ id: `${name}/${kind}`, queue: { namespace: "default", name, kind } });
        }
      }
      const all = async (filter: Parameters<Driver["store"]["listTaskQueues"]>[1]) => {
        const seen: string[] = [];
        let after: string | undefined;
        do {
          const page = await d.store.listTaskQueues("default", filter, {
            size: 2,
            ...(after !== undefined && { after }),
          });
          expect(page.items.length).toBeLessThanOrEqual(2);
          seen.push(...page.items.map(({ queue }) => `${queue.name}/${queue.kind}`));
          after = page.next;
        } while (after !== undefined);
        return seen;
      };
      const expected = ["a", "ab", "abc", "b", "c"].flatMap((name) => [`${name}/activity`, `${name}/workflow`]);
      expect(await all({ namePrefix: "" })).toEqual(expected);
      expect(await all({ namePrefix: "ab" })).toEqual(expected.slice(2, 6));
      expect(await all({ namePrefix: "", kind: "workflow" })).toEqual(
        expected.filter((name) => name.endsWith("workflow")),
      );
      expect(await all({ namePrefix: "x" })).toEqual([]);
    });

    test("a queue of closed tasks alone is listed for as long as they are kept", async (d) => {
      await d.add({ id: "a", retentionMs: 30_000 });
      await d.complete(await d.claimOne());
      const names = async () => {
        const { items } = await d.store.listTaskQueues("default", { namePrefix: "" }, { size: 10 });
        return items.map(({ queue }) => queue.name);
      };
      await d.pass(20_000);
      expect(await names()).toEqual(["q"]);
      await d.pass(60_000);
      await d.pass(60_000);
      expect(await names()).toEqual([]);
    });
  });
}
