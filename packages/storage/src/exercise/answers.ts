import { expect } from "vitest";
import { action, activities, failure, start, text } from "./driver.ts";
import { chapter, type Harness } from "./harness.ts";

/** The four ways to answer an attempt, and tokens that are not current. */
export function answers(harness: Harness): void {
  chapter("answers", harness, (test) => {
    test("completed: closes the task with its result", async (d) => {
      await d.add({ id: "a" });
      const task = await d.claimOne();
      d.now += 700;
      expect(await d.complete(task, { result: "done" })).toEqual({ status: "accepted" });
      const { outcome, state, keptUntil, attempt } = await d.task("a");
      expect({ state, attempt, keptUntil }).toEqual({
        state: "completed",
        attempt: 1,
        keptUntil: start + 700 + 3_600_000,
      });
      expect(outcome).toMatchObject({ state: "completed", closedAt: start + 700 });
      expect(text(outcome?.result)).toBe("done");
      expect(d.last?.closed).toMatchObject([
        { namespace: "default", id: "a", run: 1, outcome: { state: "completed" } },
      ]);
      expect((await d.describe()).counts).toEqual({ scheduled: 0, ready: 0, started: 0, dead: 0 });
    });

    test("failed for good: closes it as failed, with the attempt on record", async (d) => {
      await d.add({ id: "a" });
      const task = await d.claimOne();
      d.now += 700;
      await d.fail(task, failure("Bad", { nonRetryable: true }));
      const { outcome, state, failedAttempts, attempt } = await d.task("a");
      expect({ state, attempt }).toEqual({ state: "failed", attempt: 1 });
      expect(outcome?.failure).toMatchObject({ type: "Bad", message: "Bad happened", nonRetryable: true });
      expect(text(outcome?.failure?.encoded)).toBe("Bad");
      expect(failedAttempts).toMatchObject([
        { attempt: 1, workerId: "w1", startedAt: start, failedAt: start + 700, failure: { type: "Bad" } },
      ]);
      expect((await d.describe()).counts.dead).toBe(1);
    });

    test("canceled after a request: closes it as canceled", async (d) => {
      await d.add({ id: "a" });
      const task = await d.claimOne();
      await d.cancel(["a"]);
      await d.answer({ lease: task.lease, kind: "canceled", failure: failure("Canceled") });
      expect(await d.task("a")).toMatchObject({ state: "canceled", outcome: { failure: { type: "Canceled" } } });
      expect((await d.describe()).counts.dead).toBe(0);
    });

    test("canceled without a request: is a failure like any other", async (d) => {
      await d.add({ id: "a" });
      const task = await d.claimOne();
      await d.answer({ lease: task.lease, kind: "canceled", failure: failure("Canceled") });
      expect(await d.task("a")).toMatchObject({ state: "scheduled", attempt: 1 });
    });

    test("released: goes back to its old place and uses no attempt", async (d) => {
      await d.add({ id: "a" }, { id: "b" });
      const task = await d.claimOne();
      await d.add({ id: "c" });
      await d.release(task);
      const again = await d.claim();
      expect(again.map(({ id, attempt }) => [id, attempt])).toEqual([
        ["a", 1],
        ["b", 1],
        ["c", 1],
      ]);
    });

    test("an answer repeated while the task is kept says so", async (d) => {
      await d.add({ id: "a" }, { id: "b" }, { id: "c" }, { id: "gone", retentionMs: 0 });
      const [a, b, c, gone] = await d.claim();
      if (!a || !b || !c || !gone) throw new Error("nothing claimed");
      await d.complete(a);
      await d.fail(b);
      await d.release(c);
      await d.complete(gone);
      expect(await d.complete(a)).toEqual({ status: "already-answered" });
      expect(await d.fail(b)).toEqual({ status: "already-answered" });
      expect(await d.release(c)).toEqual({ status: "already-answered" });
      expect(await d.complete(gone)).toEqual({ status: "lease-lost" });
      expect((await d.task("b")).failedAttempts).toHaveLength(1);
    });

    test("a token that is no longer current is refused, whatever the worker believes", async (d) => {
      await d.add({ id: "a" });
      const first = await d.claimOne({ leaseMs: 1_000 });
      await d.pass(1_000);
      expect(await d.complete(first)).toEqual({ status: "lease-lost" });
      await d.pass(1_000);
      const second = await d.claimOne();
      expect(await d.complete(first)).toEqual({ status: "lease-lost" });
      expect(await d.fail(first)).toEqual({ status: "lease-lost" });
      expect(await d.release(first)).toEqual({ status: "lease-lost" });
      expect(await d.giveBack("undelivered", first)).toBe(0);
      expect((await d.task("a")).started?.leaseNo).toBe(second.lease.leaseNo);
      expect(await d.complete(second)).toEqual({ status: "accepted" });
    });

    test("a token of an earlier answered attempt does not close a later one", async (d) => {
      await d.add({ id: "a" });
      const first = await d.claimOne();
      await d.fail(first);
      await d.pass(1_000);
      await d.claimOne();
      expect((await d.complete(first)).status).not.toBe("accepted");
      expect(await d.state("a")).toBe("started");
    });

    test("a token of another namespace is lost", async (d) => {
      await d.run({ verb: "create-namespace", name: "other", description: "", action });
      await d.add({ id: "a" });
      const { lease } = await d.claimOne();
      const answer = { lease, kind: "completed" as const, commands: [] };
      const result = await d.run({ verb: "answer", namespace: "other", answers: [answer] });
      expect(result).toEqual({ verb: "answer", statuses: [{ status: "lease-lost" }] });
      expect(await d.state("a")).toBe("started");
    });

    test("one bad item never fails the others", async (d) => {
      await d.add({ id: "a" }, { id: "b" });
      const [a, b] = await d.claim();
      if (!a || !b) throw new Error("nothing claimed");
      const statuses = await d.answers([
        { lease: { seq: a.lease.seq, leaseNo: 1_000_000 }, kind: "completed", commands: [] },
        { lease: a.lease, kind: "completed", commands: [] },
        { lease: a.lease, kind: "failed", failure: failure() },
        { lease: b.lease, kind: "completed", commands: [] },
      ]);
      expect(statuses.map(({ status }) => status)).toEqual(["lease-lost", "accepted", "already-answered", "accepted"]);
    });

    test("retention 0 removes a task as it closes, whatever its outcome", async (d) => {
      await d.add({ id: "a", retentionMs: 0 }, { id: "b", retentionMs: 0 }, { id: "c", retentionMs: 0 });
      const [a, b] = await d.claim({ slots: 2 });
      if (!a || !b) throw new Error("nothing claimed");
      await d.complete(a);
      await d.fail(b, failure("Bad", { nonRetryable: true }));
      await d.cancel(["c"]);
      expect(await d.states("a", "b", "c")).toEqual(["gone", "gone", "gone"]);
      expect(d.last?.closed).toMatchObject([{ id: "c", outcome: { state: "canceled" } }]);
      expect((await d.describe(activities)).counts).toEqual({ scheduled: 0, ready: 0, started: 0, dead: 0 });
    });
  });
}
