import { expect } from "vitest";
import { action, activities, failure, start, text, workflows } from "./driver.ts";
import { chapter, type Harness } from "./harness.ts";

/** What survives the end of a process, in whatever way it ends. */
export function reopening(harness: Harness): void {
  for (const how of ["reopen", "crash"] as const) {
    chapter(how === "reopen" ? "reopening" : "reopening after a crash", harness, (test) => {
      test("finds every task as it was", async (d) => {
        await d.add(
          { id: "started" },
          { id: "failed", type: "u" },
          { id: "ready" },
          { id: "delayed", startDelayMs: 60_000 },
        );
        await d.claimOne();
        await d.fail(await d.claimOne(), failure("Bad", { nonRetryable: true }));
        const ids = ["started", "failed", "ready", "delayed"];
        const before = await d.store.getTasks("default", ids);
        const described = await d.describe();
        await d[how]();
        expect(await d.store.getTasks("default", ids)).toEqual(before);
        expect(await d.describe()).toEqual(described);
        expect(d.nextDue.promote).toBe(start + 60_000);
      });

      test("raises the epoch", async (d) => {
        const before = d.lease.epoch;
        await d[how]();
        expect(d.lease.epoch).toBeGreaterThan(before);
      });

      test("leaves a running worker its task, and its answer is accepted", async (d) => {
        await d.add({ id: "a", onClose: { queueName: "w", type: "closed" } });
        const task = await d.claimOne();
        await d.heartbeat(task, "half");
        await d[how](5_000);
        expect(await d.claim({ workerId: "w2" })).toEqual([]);
        expect((await d.renew(task)).lost).toEqual([]);
        expect(await d.complete(task, { result: "done" })).toEqual({ status: "accepted" });
        expect(text((await d.claimOne({ queue: workflows })).closedTask?.outcome.result)).toBe("done");
      });

      test("ends no lease before one full length has passed", async (d) => {
        await d.add({ id: "a", timeouts: { startToCloseMs: 15_000, heartbeatMs: 11_000 } });
        await d.claimOne({ leaseMs: 10_000 });
        await d[how](60_000);
        expect((await d.task("a")).started?.leaseUntil).toBe(start + 70_000);
        expect((await d.pass(9_900)).expired).toBe(0);
        expect((await d.pass(100)).expired).toBe(1);
      });

      test("keeps the order of dispatch", async (d) => {
        const tasks = Array.from({ length: 300 }, (_, i) => ({ id: `${i}`, fairnessKey: "k" }));
        await d.add(...tasks);
        await d.claim({ slots: 10 });
        await d[how]();
        await d.add({ id: "new", fairnessKey: "other" });
        const ids = await d.claimIds({ slots: 400 });
        expect(ids.indexOf("new")).toBeLessThan(3);
        expect(ids.filter((id) => id !== "new")).toEqual(tasks.slice(10).map((task) => task.id));
      });

      test("time never goes back", async (d) => {
        await d.add({ id: "a" });
        d.now += 50_000;
        await d.add({ id: "b" });
        d.now -= 40_000;
        await d[how]();
        d.now -= 100_000;
        expect((await d.commit([])).now).toBe(start + 50_000);
        await d.add({ id: "c" });
        expect((await d.task("c")).addedAt).toBe(start + 50_000);
      });

      test("namespaces are there", async (d) => {
        await d.run({ verb: "create-namespace", name: "n", description: "mine", action });
        await d[how]();
        expect(await d.store.hasNamespace("n")).toBe(true);
        await d.add({ id: "a", queue: { ...activities, namespace: "n" } });
      });
    });
  }
}
