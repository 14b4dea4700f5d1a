import { defaultRetryPolicy } from "@tq/matching-core";
import { expect } from "vitest";
import { start } from "./driver.ts";
import { chapter, type Harness } from "./harness.ts";

/** Attempts whose lease or time is over. */
export function expire(harness: Harness): void {
  chapter("expire", harness, (test) => {
    test("a lease that was not renewed ends the attempt like a failure", async (d) => {
      await d.add({ id: "a" });
      await d.claimOne({ leaseMs: 5_000 });
      expect(d.nextDue.expire).toBeGreaterThanOrEqual(start + 5_000);
      expect(d.nextDue.expire).toBeLessThanOrEqual(start + 5_100);
      expect((await d.pass(4_900)).expired).toBe(0);
      d.now += 100;
      expect(await d.run({ verb: "expire", limit: 10 })).toEqual({ verb: "expire", expired: 1, timedOut: 0 });
      expect(d.last?.notices).toEqual([{ namespace: "default", workerId: "w1" }]);
      expect(await d.task("a")).toMatchObject({
        state: "scheduled",
        attempt: 1,
        failedAttempts: [{ attempt: 1, workerId: "w1", failure: { type: "WorkerLost", nonRetryable: false } }],
      });
      expect(d.nextDue).not.toHaveProperty("expire");
    });

    test("a task that kills its workers ends", async (d) => {
      await d.add({ id: "a" });
      for (let i = 0; i < 3; i++) {
        await d.claimOne({ leaseMs: 1_000 });
        await d.pass(1_000);
        await d.pass(10_000);
      }
      expect(await d.task("a")).toMatchObject({ state: "failed", outcome: { failure: { type: "WorkerLost" } } });
    });

    test("start-to-close ends an attempt however well its lease is renewed", async (d) => {
      await d.add({ id: "a", timeouts: { startToCloseMs: 3_000 } });
      const task = await d.claimOne({ leaseMs: 2_000 });
      d.now += 1_500;
      await d.renew(task);
      expect((await d.pass(1_400)).expired).toBe(0);
      await d.renew(task);
      expect((await d.pass(100)).expired).toBe(1);
      expect((await d.task("a")).failedAttempts[0]?.failure.type).toBe("StartToClose");
      expect(await d.complete(task)).toEqual({ status: "lease-lost" });
    });

    test("the last attempt closes as timed out where a timeout ended it, and as failed where its worker was lost", async (d) => {
      const last = { retryPolicy: { ...defaultRetryPolicy("activity"), maximumAttempts: 1 } };
      await d.add({ id: "slow", timeouts: { startToCloseMs: 1_000 }, ...last }, { id: "lost", timeouts: {}, ...last });
      await d.claim({ leaseMs: 2_000 });
      await d.pass(3_000);
      expect([await d.state("slow"), await d.state("lost")]).toEqual(["timed-out", "failed"]);
    });

    test("does at most as many as it is told, and comes again for the rest", async (d) => {
      await d.add({ id: "a" }, { id: "b" }, { id: "c" });
      await d.claim({ leaseMs: 1_000 });
      d.now += 5_000;
      expect((await d.run({ verb: "expire", limit: 2 })).expired).toBe(2);
      expect(d.nextDue.expire).toBeLessThanOrEqual(d.now + 100);
      d.now += 100;
      expect((await d.run({ verb: "expire", limit: 2 })).expired).toBe(1);
    });

    test("leaves alone what was renewed, answered or returned", async (d) => {
      await d.add(...["renewed", "answered", "returned"].map((id) => ({ id })));
      const [renewed, answered, returned] = await d.claim({ leaseMs: 2_000 });
      if (!renewed || !answered || !returned) throw new Error("nothing claimed");
      d.now += 1_000;
      await d.renew(renewed);
      await d.complete(answered);
      await d.giveBack("undelivered", returned);
      expect((await d.pass(1_900)).expired).toBe(0);
      expect(await d.states("renewed", "answered", "returned")).toEqual(["started", "completed", "ready"]);
    });

    test("many that were renewed cost no more than a look each", async (d) => {
      await d.add(...Array.from({ length: 2_000 }, (_, i) => ({ id: `${i}` })));
      const tasks = await d.claim({ slots: 2_000, leaseMs: 1_000 });
      d.now += 900;
      await d.renew(...tasks);
      expect((await d.pass(100)).expired).toBe(0);
      expect((await d.pass(900)).expired).toBe(1_000);
    });
  });
}
