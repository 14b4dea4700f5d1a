import { expect } from "vitest";
import { bytes, failure, start, text, workflows } from "./driver.ts";
import { chapter, type Harness } from "./harness.ts";

const onClose = { queueName: "w", type: "closed", context: bytes("context") };

/** The workflow task that is added as a task closes. */
export function onCloseTasks(harness: Harness): void {
  chapter("on close", harness, (test) => {
    test("carries the outcome and the context, in the transaction of the answer", async (d) => {
      await d.add({
        id: "a",
        type: "resize",
        onClose: { ...onClose, priority: 1, headers: { h: "v" }, serialKey: "flow" },
      });
      const task = await d.claimOne();
      d.now += 500;
      await d.complete(task, { result: "done" });
      expect([...(d.last?.added.values() ?? [])]).toEqual([1]);

      const closed = await d.claimOne({ queue: workflows });
      expect(closed).toMatchObject({
        id: "a/closed/1",
        type: "closed",
        queue: workflows,
        priority: 1,
        headers: { h: "v" },
        serialKey: "flow",
        timeouts: { startToCloseMs: 10_000 },
        closedTask: {
          id: "a",
          run: 1,
          type: "resize",
          queueName: "q",
          queueKind: "activity",
          attempts: 1,
          outcome: { state: "completed", closedAt: start + 500 },
        },
      });
      expect(text(closed.closedTask?.context)).toBe("context");
      expect(text(closed.closedTask?.outcome.result)).toBe("done");
      expect((await d.task("a/closed/1")).closedTask).toMatchObject({ id: "a", outcome: { state: "completed" } });
    });

    test("moves to the fallback that is named for it, once nobody serves its queue", async (d) => {
      const fallbackQueueName = "engine";
      await d.add({ id: "a", onClose: { ...onClose, serialKey: "flow", fallbackQueueName } });
      expect((await d.task("a")).onClose).toMatchObject({ fallbackQueueName });
      await d.complete(await d.claimOne());
      const moved = { verb: "fall-back", moved: 1, more: false };
      expect(await d.run({ verb: "fall-back", queue: workflows, limit: 100 })).toEqual(moved);
      const there = await d.claimOne({ queue: { ...workflows, name: fallbackQueueName } });
      expect(there).toMatchObject({ id: "a/closed/1", type: "closed", serialKey: "flow", closedTask: { id: "a" } });
      expect(await d.task("a/closed/1")).not.toHaveProperty("fallback");
    });

    test("is added for whatever reason the task closes", async (d) => {
      const ids = ["failed", "lost", "waiting", "delayed", "forced", "asked"];
      await d.add(
        ...ids.map((id) => ({
          id,
          onClose,
          priority: 3 as const,
          ...(id === "delayed" && { startDelayMs: 60_000 }),
          ...(id === "waiting" && { priority: 5 as const }),
        })),
      );
      const [failed, , forced, asked] = await d.claim({ slots: 4, leaseMs: 1_000 });
      if (!failed || !forced || !asked) throw new Error("nothing claimed");
      await d.fail(failed, failure("Bad", { nonRetryable: true }));
      await d.cancel(["waiting", "delayed"]);
      await d.cancel(["forced"], true);
      await d.cancel(["asked", "lost"]);
      await d.release(asked);
      await d.pass(1_000);
      const closed = await d.claim({ queue: workflows });
      expect(new Map(closed.map(({ closedTask }) => [closedTask?.id, closedTask?.outcome.state]))).toEqual(
        new Map([
          ["failed", "failed"],
          ["waiting", "canceled"],
          ["delayed", "canceled"],
          ["forced", "canceled"],
          ["asked", "canceled"],
          ["lost", "canceled"],
        ]),
      );
      const [first] = closed;
      expect(first?.closedTask?.outcome.failure).toMatchObject({ type: "Bad", nonRetryable: true });
    });

    test("a retry does not close, so it adds nothing", async (d) => {
      await d.add({ id: "a", onClose });
      await d.fail(await d.claimOne());
      expect(await d.claim({ queue: workflows })).toEqual([]);
    });

    test("comes even where the task itself is not kept", async (d) => {
      await d.add({ id: "a", onClose, retentionMs: 0 });
      await d.complete(await d.claimOne());
      expect(await d.state("a")).toBe("gone");
      expect(await d.claimIds({ queue: workflows })).toEqual(["a/closed/1"]);
    });

    test("an id that is used anew still has its own, however often", async (d) => {
      const ids = new Set<string>();
      await d.add({ id: "a/closed/1", queue: workflows });
      for (let i = 0; i < 3; i++) {
        await d.add({ id: "a", onClose, retentionMs: 0 });
        await d.complete(await d.claimOne());
      }
      for (const id of await d.claimIds({ queue: workflows })) ids.add(id);
      expect(ids.size).toBe(4);
    });

    test("a name that somebody took on purpose does not stop it", async (d) => {
      await d.add({ id: "a", onClose });
      const { seq } = await d.task("a");
      await d.add({ id: "a/closed/1" }, { id: `a/closed/1/${seq}` });
      await d.complete(await d.claimOne());
      expect(await d.claim({ queue: workflows })).toHaveLength(1);
    });

    test("a new run has an id of its own", async (d) => {
      await d.add({ id: "a", onClose });
      await d.complete(await d.claimOne());
      await d.add({ id: "a", onClose, idPolicy: "allow" });
      await d.complete(await d.claimOne());
      expect(await d.claimIds({ queue: workflows })).toEqual(["a/closed/1", "a/closed/2"]);
    });

    test("waits its turn behind the serial key's other tasks", async (d) => {
      await d.add({ id: "w1", queue: workflows, serialKey: "flow" });
      await d.add({ id: "a", onClose: { ...onClose, serialKey: "flow" } });
      await d.complete(await d.claimOne());
      const w1 = await d.claimOne({ queue: workflows });
      expect(w1.id).toBe("w1");
      expect(await d.claim({ queue: workflows })).toEqual([]);
      await d.complete(w1);
      expect(await d.claimIds({ queue: workflows })).toEqual(["a/closed/1"]);
    });
  });
}
