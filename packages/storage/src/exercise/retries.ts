import { expect } from "vitest";
import { failure, retryPolicy, start } from "./driver.ts";
import { chapter, type Harness } from "./harness.ts";

/** What follows a failed attempt. */
export function retries(harness: Harness): void {
  chapter("retries", harness, (test) => {
    test("a failed attempt waits for its back-off, and is numbered on", async (d) => {
      await d.add({ id: "a" });
      await d.fail(await d.claimOne());
      expect(await d.task("a")).toMatchObject({ state: "scheduled", dueAt: start + 1_000, attempt: 1 });
      expect(d.nextDue.promote).toBe(start + 1_000);
      expect(await d.claim()).toEqual([]);
      expect((await d.pass(900)).promoted).toBe(0);
      expect((await d.pass(100)).promoted).toBe(1);
      const second = await d.claimOne();
      expect(second).toMatchObject({ attempt: 2, lastFailure: { type: "Boom" } });
      await d.fail(second);
      expect((await d.task("a")).dueAt).toBe(start + 3_000);
    });

    test("the last attempt closes it", async (d) => {
      await d.add({ id: "a" });
      for (let i = 0; i < 3; i++) {
        await d.fail(await d.claimOne(), failure(`F${i}`));
        await d.pass(10_000);
      }
      const { state, failedAttempts, outcome, attempt } = await d.task("a");
      expect({ state, attempt }).toEqual({ state: "failed", attempt: 3 });
      expect(failedAttempts.map((one) => [one.attempt, one.failure.type])).toEqual([
        [1, "F0"],
        [2, "F1"],
        [3, "F2"],
      ]);
      expect(outcome?.failure?.type).toBe("F2");
    });

    test("a failure type that is never retried closes it", async (d) => {
      await d.add({ id: "a", retryPolicy: { ...retryPolicy, nonRetryableFailureTypes: ["Fatal"] } });
      await d.fail(await d.claimOne(), failure("Fatal"));
      expect(await d.state("a")).toBe("failed");
    });

    test("a failure may name its own wait", async (d) => {
      await d.add({ id: "a" });
      await d.fail(await d.claimOne(), failure("Later", { nextRetryDelayMs: 60_000 }));
      expect((await d.task("a")).dueAt).toBe(start + 60_000);
    });

    test("without a wait it is ready at once, behind what was added before", async (d) => {
      await d.add({ id: "a" }, { id: "b" }, { id: "s", serialKey: "s" });
      const [a] = await d.claim({ slots: 1 });
      if (!a) throw new Error("nothing claimed");
      await d.fail(a, failure("Again", { nextRetryDelayMs: 0 }));
      expect(await d.task("a")).toMatchObject({ state: "ready", attempt: 1 });
      expect(await d.task("a")).not.toHaveProperty("dueAt");
      const [b, s, again] = await d.claim();
      expect([b?.id, s?.id, again?.id, again?.attempt]).toEqual(["b", "s", "a", 2]);
      if (!s) throw new Error("nothing claimed");
      await d.fail(s, failure("Again", { nextRetryDelayMs: 0 }));
      expect((await d.claimOne()).id).toBe("s");
    });

    test("with no limit it is retried for ever, even without any wait", async (d) => {
      await d.add({ id: "a", retryPolicy: { ...retryPolicy, maximumAttempts: 0, initialIntervalMs: 0 } });
      for (let i = 0; i < 30; i++) await d.fail(await d.claimOne());
      const { attempt, failedAttempts } = await d.task("a");
      expect(attempt).toBe(30);
      expect(failedAttempts.map((one) => one.attempt)).toEqual([21, 22, 23, 24, 25, 26, 27, 28, 29, 30]);
    });

    test("a failure after a cancel request closes it as canceled", async (d) => {
      await d.add({ id: "a" });
      const task = await d.claimOne();
      await d.cancel(["a"]);
      await d.fail(task);
      expect(await d.task("a")).toMatchObject({ state: "canceled", outcome: { failure: { type: "Boom" } } });
    });
  });
}
