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

      test("ends no attempt by its own limits before its lease's length or 10 s have passed, whichever is less", async (d) => {
        const timeouts = { startToCloseMs: 15_000, heartbeatMs: 11_000, scheduleToCloseMs: 50_000 };
        await d.add({ id: "long", timeouts }, { id: "short", timeouts, type: "u" }, { id: "beat", type: "v" });
        await d.claimOne({ types: ["t"], leaseMs: 3_600_000 });
        await d.claimOne({ types: ["u"], leaseMs: 4_000 });
        await d[how](60_000);
        expect(await d.pass(3_900)).toMatchObject({ expired: 0, timedOut: 0 });
        expect(await d.pass(100)).toMatchObject({ timedOut: 1 });
        expect(await d.state("short")).toBe("timed-out");
        expect(await d.pass(5_900)).toMatchObject({ expired: 0, timedOut: 0 });
        expect(await d.pass(100)).toMatchObject({ timedOut: 1 });
        expect(await d.state("long")).toBe("timed-out");
      });

      test("finds what its worker has not confirmed, and nothing else", async (d) => {
        await d.add(...["a", "b", "c", "d", "e", "f"].map((id) => ({ id })));
        const [a, b, c] = await d.claim({ slots: 3, confirmMs: 5_000, pollId: "p", workerId: "w7" });
        const [unnamed] = await d.claim({ slots: 1, confirmMs: 1_000 });
        const [confirmed] = await d.claim({ slots: 1, confirmMs: 1_000, pollId: "q" });
        await d.claim({ slots: 1, pollId: "asked for none" });
        if (!a || !b || !c || !unnamed || !confirmed) throw new Error("nothing claimed");
        await d.run({
          verb: "confirm",
          deliveries: [
            { delivery: confirmed.lease.leaseNo, left: [] },
            { delivery: a.lease.leaseNo, left: [b.lease, c.lease] },
          ],
        });
        await d.complete(b);
        await d[how]();
        const found = { namespace: "default", workerId: "w1", pollId: "", leases: [unnamed.lease], confirmMs: 1_000 };
        const left = { delivery: a.lease.leaseNo, namespace: "default", workerId: "w7", pollId: "p" };
        expect(d.opened?.unconfirmed).toEqual([
          { ...left, leases: [c.lease], confirmMs: 5_000 },
          { ...found, delivery: unnamed.lease.leaseNo },
        ]);
        await d.complete(c);
        await d.complete(unnamed);
        await d[how]();
        expect(d.opened?.unconfirmed).toEqual([]);
      });

      test("finds what a repeated poll was given to be confirmed, in place of what it was given before", async (d) => {
        await d.add({ id: "a" }, { id: "b" });
        const [a, b] = await d.claim({ confirmMs: 5_000, pollId: "p" });
        if (!a || !b) throw new Error("nothing claimed");
        const again = { verb: "repoll", namespace: "default", workerId: "w1", pollId: "p", maxBytes: 1e9 } as const;
        await d.run({ ...again, confirmMs: 2_000 });
        await d[how]();
        expect(d.opened?.unconfirmed).toMatchObject([{ leases: [a.lease, b.lease], confirmMs: 2_000 }]);
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
