import { expect } from "vitest";
import { action, activities, failure, start, text } from "./driver.ts";
import { chapter, type Harness } from "./harness.ts";

/** Leases: renewing, heartbeats, what a worker is told. */
export function leases(harness: Harness): void {
  chapter("leases", harness, (test) => {
    test("a renewal moves the end by one length from now", async (d) => {
      await d.add({ id: "a" });
      const task = await d.claimOne({ leaseMs: 10_000 });
      d.now += 8_000;
      expect(await d.renew(task)).toEqual({ verb: "renew", lost: [], cancels: [], queues: [activities] });
      expect((await d.task("a")).started?.leaseUntil).toBe(start + 18_000);
      expect((await d.pass(9_900)).expired).toBe(0);
      expect((await d.pass(100)).expired).toBe(1);
    });

    test("says which leases are lost", async (d) => {
      await d.add({ id: "a" }, { id: "b" });
      const [a, b] = await d.claim();
      if (a === undefined || b === undefined) throw new Error("nothing claimed");
      await d.complete(a);
      const unknown = { lease: { seq: 999_999, leaseNo: 1 } };
      expect((await d.renew(a, b, unknown)).lost).toEqual([a.lease, unknown.lease]);
    });

    test("another worker's lease, and one of another namespace, is lost to the one that renews it", async (d) => {
      await d.run({ verb: "create-namespace", name: "other", description: "", action });
      await d.add({ id: "a" });
      const { lease } = await d.claimOne({ workerId: "w2", leaseMs: 1_000 });
      expect((await d.renew({ lease })).lost).toEqual([lease]);
      const operation = { verb: "renew" as const, workerId: "w2", leases: [lease], heartbeats: [{ lease }] };
      expect((await d.run({ ...operation, namespace: "other" })).lost).toEqual([lease]);
      expect((await d.pass(1_000)).expired).toBe(1);
    });

    test("a renewal of a poll moves the ends of all that it brought and that is still its worker's", async (d) => {
      await d.add({ id: "a" }, { id: "b" });
      await d.complete(await d.claimOne({ pollId: "p", workerId: "w1", leaseMs: 10_000 }));
      await d.claimOne({ pollId: "p", workerId: "w1", leaseMs: 10_000 });
      const renew = { verb: "renew" as const, namespace: "default", leases: [], heartbeats: [], pollIds: ["p", "q"] };
      expect((await d.pass(9_000)).expired).toBe(0);
      expect(await d.run({ ...renew, workerId: "w1" })).toMatchObject({ lost: [], queues: [] });
      expect((await d.task("b")).started?.leaseUntil).toBe(start + 19_000);
      // It is not another worker's to renew, and not in another namespace.
      await d.run({ ...renew, workerId: "w2" });
      await d.run({ ...renew, workerId: "w1", namespace: "other" });
      expect((await d.task("b")).started?.leaseUntil).toBe(start + 19_000);
      expect((await d.pass(10_000)).expired).toBe(1);
    });

    test("a heartbeat by its token alone counts, and renews, whoever has the lease; not from another namespace", async (d) => {
      await d.run({ verb: "create-namespace", name: "other", description: "", action });
      await d.add({ id: "a", timeouts: { heartbeatMs: 4_000 } });
      const { lease } = await d.claimOne({ workerId: "w2", leaseMs: 6_000 });
      const beat = { verb: "renew" as const, leases: [lease], heartbeats: [{ lease }] };
      d.now += 3_000;
      expect((await d.run({ ...beat, namespace: "other" })).lost).toEqual([lease]);
      expect(await d.run({ ...beat, namespace: "default" })).toMatchObject({ lost: [], cancels: [] });
      expect((await d.task("a")).started).toMatchObject({ leaseUntil: start + 9_000, workerId: "w2" });
      expect((await d.pass(3_999)).expired).toBe(0);
      expect((await d.pass(1)).expired).toBe(1);
      expect((await d.run({ ...beat, namespace: "default" })).lost).toEqual([lease]);
    });

    test("tells of a cancel request until it is answered", async (d) => {
      await d.add({ id: "a" });
      const task = await d.claimOne();
      d.now += 500;
      expect(await d.cancel(["a"])).toEqual(["requested"]);
      expect(d.last?.notices).toEqual([{ namespace: "default", workerId: "w1" }]);
      const notice = { lease: task.lease, reason: "not needed", requestedAt: start + 500 };
      expect((await d.renew(task)).cancels).toEqual([notice]);
      d.now += 500;
      await d.cancel(["a"]);
      expect((await d.renew(task)).cancels).toEqual([notice]);
    });

    test("tells a worker of all cancel requests for its tasks, named or not, and nobody else", async (d) => {
      await d.add({ id: "a" });
      await d.add({ id: "b" });
      const [task, other] = [await d.claimOne(), await d.claimOne()];
      await d.cancel(["b"]);
      const notice = { lease: other.lease, reason: "not needed", requestedAt: d.now };
      expect((await d.renew(task)).cancels).toEqual([notice]);
      const renew = { verb: "renew" as const, namespace: "default", leases: [task.lease], heartbeats: [] };
      expect((await d.run({ ...renew, workerId: "w2" })).cancels).toEqual([]);
      expect((await d.run(renew)).cancels).toEqual([]);
      await d.complete(other);
      expect((await d.renew(task)).cancels).toEqual([]);
    });

    test("a heartbeat's details are there for the next attempt", async (d) => {
      await d.add({ id: "a" });
      const first = await d.claimOne();
      await d.heartbeat(first, "half");
      await d.heartbeat(first);
      await d.fail(first);
      await d.pass(1_000);
      const second = await d.claimOne();
      expect(text(second.heartbeatDetails)).toBe("half");
      await d.fail(second);
      await d.pass(2_000);
      expect(text((await d.claimOne()).heartbeatDetails)).toBe("half");
    });

    test("a released attempt's heartbeat details are there for the next one", async (d) => {
      await d.add({ id: "a" });
      const first = await d.claimOne();
      await d.heartbeat(first, "half");
      await d.release(first);
      expect(text((await d.claimOne()).heartbeatDetails)).toBe("half");
    });

    test("a dead task says what its last heartbeat said, even one at the moment it started", async (d) => {
      await d.add({ id: "a" });
      const task = await d.claimOne();
      await d.heartbeat(task, "some");
      await d.fail(task, failure("Boom", { nonRetryable: true }));
      expect(text((await d.task("a")).outcome?.heartbeatDetails)).toBe("some");
    });

    test("a missed heartbeat ends the attempt, whatever the lease", async (d) => {
      await d.add({ id: "a", timeouts: { heartbeatMs: 5_000 } });
      const task = await d.claimOne();
      d.now += 4_000;
      await d.heartbeat(task);
      expect((await d.pass(4_900)).expired).toBe(0);
      expect((await d.pass(100)).expired).toBe(1);
      expect((await d.task("a")).failedAttempts[0]?.failure.type).toBe("Heartbeat");
    });

    test("a lost lease's heartbeat changes nothing", async (d) => {
      await d.add({ id: "a" });
      const first = await d.claimOne();
      await d.giveBack("undelivered", first);
      const second = await d.claimOne();
      await d.heartbeat(first, "from the past");
      await d.fail(second);
      await d.pass(1_000);
      expect((await d.claimOne()).heartbeatDetails).toBeUndefined();
    });
  });
}
