import { expect } from "vitest";
import { action, activities, bytes, claimOrder, failure, start, text, workflows } from "./driver.ts";
import { chapter, type Harness } from "./harness.ts";

const onClose = { queueName: "w", type: "closed" };

/** The timeouts of a task as it waits, and as a whole. */
export function timeouts(harness: Harness): void {
  chapter("schedule-to-start", harness, (test) => {
    const impatient = { timeouts: { scheduleToStartMs: 3_000 } };

    test("ends a task that nobody took in time, without an attempt, and adds its on-close", async (d) => {
      await d.add({ id: "a", ...impatient, onClose });
      expect(d.nextDue.expire).toBe(start + 3_000);
      expect(await d.pass(2_999)).toMatchObject({ expired: 0, timedOut: 0 });
      expect(await d.pass(1)).toMatchObject({ expired: 0, timedOut: 1 });
      expect(await d.task("a")).toMatchObject({
        state: "timed-out",
        attempt: 0,
        failedAttempts: [],
        outcome: { closedAt: start + 3_000, failure: { type: "ScheduleToStart" } },
      });
      expect((await d.describe()).counts).toMatchObject({ ready: 0, dead: 1 });
      expect((await d.claimOne({ queue: workflows })).closedTask).toMatchObject({ id: "a", attempts: 0 });
      expect(d.nextDue.expire).not.toBe(start + 3_000);
    });

    test("counts from when a delayed task became ready, and anew for each attempt", async (d) => {
      await d.add({ id: "a", startDelayMs: 10_000, ...impatient });
      await d.pass(10_000);
      expect((await d.pass(2_999)).timedOut).toBe(0);
      await d.fail(await d.claimOne());
      await d.pass(1_000);
      expect((await d.pass(2_999)).timedOut).toBe(0);
      expect((await d.pass(1)).timedOut).toBe(1);
      expect(await d.task("a")).toMatchObject({ state: "timed-out", attempt: 1, failedAttempts: [{ attempt: 1 }] });
    });

    test("goes on counting where it was when a delivery comes back", async (d) => {
      await d.add({ id: "a", ...impatient });
      d.now += 2_000;
      const undelivered = await d.claimOne();
      // What it was started for does not count.
      d.now += 20_000;
      await d.giveBack("undelivered", undelivered);
      expect((await d.pass(999)).timedOut).toBe(0);
      const released = await d.claimOne();
      d.now += 20_000;
      await d.release(released);
      expect((await d.describe()).oldestReadyAt).toBe(start + 40_000);
      expect((await d.pass(1)).timedOut).toBe(1);
    });

    test("counts while a task waits for its serial key, and its turn passes to the next", async (d) => {
      await d.add({ id: "first", serialKey: "s" });
      await d.add({ id: "second", serialKey: "s", ...impatient }, { id: "third", serialKey: "s" });
      const first = await d.claimOne();
      await d.pass(3_000);
      expect(await d.states("first", "second", "third")).toEqual(["started", "timed-out", "ready"]);
      await d.complete(first);
      expect(await d.claimIds()).toEqual(["third"]);
    });

    test("of the first in line lets the next one go", async (d) => {
      await d.add({ id: "first", serialKey: "s", ...impatient }, { id: "second", serialKey: "s" });
      await d.pass(3_000);
      expect(await d.claimIds()).toEqual(["second"]);
    });

    test("leaves alone what is started, closed or backing off", async (d) => {
      await d.add(...["started", "closed", "backing-off"].map((id) => ({ id, ...impatient })));
      const [, closed, backingOff] = await d.claim();
      if (!closed || !backingOff) throw new Error("nothing claimed");
      await d.complete(closed);
      await d.fail(backingOff, failure("Boom", { nextRetryDelayMs: 60_000 }));
      await d.add({ id: "canceled", ...impatient });
      await d.cancel(["canceled"]);
      expect((await d.pass(10_000)).timedOut).toBe(0);
    });

    test("is not dispatched past it, seen to or not", async (d) => {
      await d.add({ id: "late", ...impatient, onClose }, { id: "b" });
      d.now += 3_000;
      expect(await d.claimIds()).toEqual(["b"]);
      expect(d.last?.claims).toEqual([{ dry: true }]);
      expect(await d.state("late")).toBe("timed-out");
      expect(await d.claimIds({ queue: workflows })).toEqual(["late/closed/1"]);
    });

    test("is passed over among many of one key, wherever it stands", async (d) => {
      // A key that has limits stands in a lane from the first, with those that one commit added together.
      await d.run({
        verb: "configure",
        queue: activities,
        fields: ["fairnessKeys"],
        to: { fairnessKeys: new Map([["k", { maxStarted: 1_000 }]]) },
        action,
      });
      const ids = Array.from({ length: 40 }, (_, i) => `t${String(i).padStart(2, "0")}`);
      const late = (id: string) => ["t09", "t20", "t21", "t30"].includes(id);
      await d.add(...ids.map((id) => ({ id, fairnessKey: "k", ...(late(id) && impatient) })));
      d.now += 3_000;
      const claimed: string[] = [];
      for (const slots of [9, 1, 10, 1, 1, 9, 20, 20]) claimed.push(...(await d.claimIds({ slots })));
      expect(claimed).toEqual(ids.filter((id) => !late(id)));
      expect(new Set(await d.states("t09", "t20", "t21", "t30"))).toEqual(new Set(["timed-out"]));
      expect((await d.describe()).counts).toMatchObject({ ready: 0, started: 36, dead: 4 });
    });

    test("met by a claim makes its successor claimable, and says so", async (d) => {
      await d.add({ id: "late", serialKey: "s", ...impatient }, { id: "next", serialKey: "s" });
      d.now += 3_000;
      expect(await d.claimIds()).toEqual([]);
      expect([...(d.last?.touched.values() ?? [])]).toEqual([activities]);
      expect(await d.claimIds()).toEqual(["next"]);
    });

    test("survives a crash", async (d) => {
      await d.add({ id: "a", ...impatient });
      await d.crash(1_000);
      expect(d.nextDue.expire).toBe(start + 3_000);
      expect((await d.pass(2_000)).timedOut).toBe(1);
    });
  });

  chapter("schedule-to-close", harness, (test) => {
    const limited = { timeouts: { scheduleToCloseMs: 5_000 } };
    const again = failure("Boom", { nextRetryDelayMs: 60_000 });

    test("ends a task in whatever state it is", async (d) => {
      await d.add({ id: "started", ...limited }, { id: "backing-off", ...limited });
      const [started, backingOff] = await d.claim({ workerId: "w7", leaseMs: 60_000 });
      if (!started || !backingOff) throw new Error("nothing claimed");
      expect(started.scheduleToCloseAt).toBe(start + 5_000);
      await d.fail(backingOff, again);
      await d.add(
        { id: "ready", ...limited },
        { id: "delayed", startDelayMs: 60_000, ...limited },
        { id: "first", serialKey: "s" },
        { id: "in-line", serialKey: "s", ...limited },
      );
      expect(await d.pass(4_999)).toMatchObject({ expired: 0, timedOut: 0 });
      d.now += 1;
      expect(await d.run({ verb: "expire", limit: 100 })).toEqual({ verb: "expire", expired: 0, timedOut: 5 });
      expect(d.last?.notices).toEqual([{ namespace: "default", workerId: "w7" }]);
      for (const id of ["started", "backing-off", "ready", "delayed", "in-line"]) {
        expect(await d.task(id)).toMatchObject({
          state: "timed-out",
          outcome: { failure: { type: "ScheduleToClose" }, closedAt: start + 5_000 },
        });
      }
      expect(await d.task("started")).toMatchObject({ attempt: 0, failedAttempts: [] });
      expect(await d.task("backing-off")).toMatchObject({ attempt: 1, failedAttempts: [{ attempt: 1 }] });
      expect(await d.complete(started)).toEqual({ status: "lease-lost" });
      expect((await d.pass(60_000)).promoted).toBe(0);
    });

    test("does each kind of what is over up to the limit, and comes again", async (d) => {
      await d.add(...["a", "b", "c"].map((id) => ({ id, ...limited })));
      await d.add(...["x", "y", "z"].map((id) => ({ id, timeouts: { scheduleToStartMs: 5_000 } })));
      d.now += 5_000;
      expect((await d.run({ verb: "expire", limit: 2 })).timedOut).toBe(4);
      expect(d.nextDue.expire).toBeLessThanOrEqual(d.now);
      expect((await d.run({ verb: "expire", limit: 2 })).timedOut).toBe(2);
      expect(await d.states("a", "b", "c", "x", "y", "z")).toEqual(Array.from({ length: 6 }, () => "timed-out"));
    });

    test("goes on over retries, and a retry that would come too late does not come", async (d) => {
      await d.add({ id: "a", ...limited });
      d.now += 4_000;
      await d.fail(await d.claimOne(), failure("Boom", { nextRetryDelayMs: 2_000 }));
      expect((await d.pass(1_000)).timedOut).toBe(1);
      expect((await d.pass(2_000)).promoted).toBe(0);
      expect((await d.task("a")).failedAttempts).toHaveLength(1);
    });

    test("keeps the last heartbeat of a started task, and that of an earlier attempt", async (d) => {
      await d.add({ id: "started", ...limited }, { id: "waiting", ...limited });
      const [started, waiting] = await d.claim({ leaseMs: 60_000 });
      if (!started || !waiting) throw new Error("nothing claimed");
      await d.heartbeat(started, "half");
      await d.heartbeat(waiting, "a third");
      await d.fail(waiting, again);
      await d.pass(5_000);
      expect(text((await d.task("started")).outcome?.heartbeatDetails)).toBe("half");
      expect(text((await d.task("waiting")).outcome?.heartbeatDetails)).toBe("a third");
    });

    test("closes a started task that was to be canceled as canceled", async (d) => {
      await d.add({ id: "a", ...limited });
      await d.claimOne({ leaseMs: 60_000 });
      await d.cancel(["a"]);
      expect((await d.pass(5_000)).timedOut).toBe(1);
      expect(await d.task("a")).toMatchObject({
        state: "canceled",
        outcome: { failure: { type: "Canceled", message: "not needed" } },
      });
    });

    test("comes before a schedule-to-start that is over, too: what ends for good is not moved", async (d) => {
      const timeouts = { scheduleToStartMs: 4_000, scheduleToCloseMs: 5_000 };
      await d.add({ id: "a", timeouts, fallback: { queueName: "q2" } });
      expect((await d.pass(5_000)).timedOut).toBe(1);
      expect(await d.task("a")).toMatchObject({ state: "timed-out", queue: activities });
    });

    test("comes before a lease or an attempt that ends no sooner", async (d) => {
      await d.add({ id: "a", timeouts: { scheduleToCloseMs: 5_000, startToCloseMs: 5_000 } });
      await d.claimOne({ leaseMs: 5_000 });
      expect(await d.pass(5_000)).toMatchObject({ expired: 0, timedOut: 1 });
      expect((await d.task("a")).outcome?.failure?.type).toBe("ScheduleToClose");
    });

    test("is not dispatched past it, seen to or not", async (d) => {
      await d.add({ id: "a", ...limited });
      d.now += 5_000;
      expect(await d.claimIds()).toEqual([]);
      expect((await d.task("a")).outcome?.failure?.type).toBe("ScheduleToClose");
    });

    test("gives a started task its grace after a restart, and a waiting one none", async (d) => {
      await d.add({ id: "started", ...limited }, { id: "waiting", ...limited });
      const task = await d.claimOne({ leaseMs: 4_000 });
      await d.crash(60_000);
      expect(await d.pass(0)).toMatchObject({ expired: 0, timedOut: 1 });
      expect(await d.states("started", "waiting")).toEqual(["started", "timed-out"]);
      d.now += 3_999;
      expect(await d.pass(0)).toMatchObject({ expired: 0, timedOut: 0 });
      expect(await d.complete(task)).toEqual({ status: "accepted" });
    });

    test("ends a task that did not answer in its grace", async (d) => {
      await d.add({ id: "a", ...limited });
      await d.claimOne({ leaseMs: 4_000 });
      await d.crash(60_000);
      expect(await d.pass(4_000)).toMatchObject({ expired: 0, timedOut: 1 });
    });

    test("is said to no worker of a task without one", async (d) => {
      await d.add({ id: "a" });
      expect(await d.claimOne()).not.toHaveProperty("scheduleToCloseAt");
    });
  });

  chapter("the default timeouts of a queue", harness, (test) => {
    test("hold for tasks that name none; 0 asks for none", async (d) => {
      await d.run({
        verb: "configure",
        queue: activities,
        fields: ["defaultScheduleToStartMs", "defaultScheduleToCloseMs"],
        to: { fairnessKeys: new Map(), defaultScheduleToStartMs: 1_000, defaultScheduleToCloseMs: 2_000 },
        action: { actor: "", reason: "", call: "", request: "{}" },
      });
      await d.add(
        { id: "neither" },
        { id: "no-start", timeouts: { scheduleToStartMs: 0 } },
        { id: "none", timeouts: { scheduleToStartMs: 0, scheduleToCloseMs: 0 }, input: bytes("") },
      );
      await d.pass(1_000);
      expect(await d.states("neither", "no-start", "none")).toEqual(["timed-out", "ready", "ready"]);
      await d.pass(1_000);
      expect(await d.states("no-start", "none")).toEqual(["timed-out", "ready"]);
      const { granted } = await d.commit([], () => claimOrder({}));
      expect(granted[0]?.[0]?.timeouts).toEqual({});
    });
  });
}
