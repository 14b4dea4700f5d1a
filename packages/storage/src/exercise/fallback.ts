import { expect } from "vitest";
import { activities, action, bytes, failure, start, text } from "./driver.ts";
import { chapter, type Harness } from "./harness.ts";

const other = { ...activities, name: "q2" };
const fallback = { queueName: "q2" };

/** A task moves to its fallback when its own queue does not serve it. */
export function fallbacks(harness: Harness): void {
  chapter("fallback", harness, (test) => {
    const all = { verb: "fall-back", queue: activities, limit: 100 } as const;

    test("takes a task whose schedule-to-start is over, instead of ending it", async (d) => {
      await d.add({ id: "a", fallback, timeouts: { scheduleToStartMs: 1_000, scheduleToCloseMs: 60_000 } });
      d.now += 1_000;
      expect(await d.run({ verb: "expire", limit: 10 })).toEqual({ verb: "expire", expired: 0, timedOut: 1 });
      expect([...(d.last?.added ?? [])]).toHaveLength(1);
      expect((await d.describe()).counts.ready).toBe(0);
      const task = await d.claimOne({ queue: other });
      expect(task).toMatchObject({ id: "a", run: 1, attempt: 1, queue: other, addedAt: start });
      expect(task.timeouts).toEqual({ scheduleToCloseMs: 60_000 });
      expect(task.scheduleToCloseAt).toBe(start + 60_000);
    });

    test("keeps what the task is and did, but for what the fallback replaces", async (d) => {
      const said = {
        type: "x",
        priority: 2 as const,
        fairnessKey: "k",
        serialKey: "s",
        headers: { h: "v" },
        onClose: { queueName: "w", type: "closed" },
      };
      await d.add({ id: "same", fallback, ...said });
      await d.add({ id: "else", fallback: { ...fallback, type: "y", input: bytes("less") }, ...said, serialKey: "t" });
      for (const task of await d.claim()) {
        await d.heartbeat(task, "half");
        await d.fail(task);
      }
      await d.pass(1_000);
      expect(await d.run(all)).toEqual({ verb: "fall-back", moved: 2, more: false });
      const [same, changed] = await d.claim({ queue: other });
      for (const task of [same, changed]) {
        expect(task).toMatchObject({ attempt: 2, priority: 2, fairnessKey: "k", headers: { h: "v" }, addedAt: start });
        expect(text(task?.heartbeatDetails)).toBe("half");
        expect(task?.lastFailure?.type).toBe("Boom");
      }
      expect([same?.type, text(same?.input), same?.serialKey]).toEqual(["x", "same", "s"]);
      expect([changed?.type, text(changed?.input), changed?.serialKey]).toEqual(["y", "less", "t"]);
      expect((await d.task("else")).onClose).toEqual({ queueName: "w", type: "closed" });
      expect((await d.describe(other)).byType.get("y")?.started).toBe(1);
    });

    test("takes a task once: there it has neither a fallback nor a schedule-to-start", async (d) => {
      await d.add({ id: "a", fallback, timeouts: { scheduleToStartMs: 1_000 } });
      await d.pass(1_000);
      expect(await d.task("a")).not.toHaveProperty("fallback");
      expect((await d.task("a")).timeouts).toEqual({});
      expect(await d.run({ ...all, queue: other })).toEqual({ verb: "fall-back", moved: 0, more: false });
      expect((await d.pass(100_000)).timedOut).toBe(0);
      expect(await d.claimIds({ queue: other })).toEqual(["a"]);
    });

    test("comes to the tail, and its age goes on", async (d) => {
      await d.add({ id: "there", queue: other }, { id: "a", fallback });
      d.now += 500;
      await d.add({ id: "later", queue: other });
      d.now += 500;
      await d.run(all);
      await d.add({ id: "last", queue: other });
      expect((await d.describe()).oldestReadyAt).toBeUndefined();
      expect((await d.describe(other)).oldestReadyAt).toBe(start);
      expect(await d.claimIds({ queue: other })).toEqual(["there", "later", "a", "last"]);
    });

    test("moves the ready tasks of a queue in order of adding, a few at a time", async (d) => {
      await d.add(
        { id: "a", fallback },
        { id: "stays" },
        { id: "b", fallback, priority: 1 },
        { id: "delayed", fallback, startDelayMs: 5_000 },
        { id: "c", fallback },
      );
      expect([...(d.last?.withFallback.values() ?? [])]).toEqual([activities]);
      expect(await d.run({ ...all, limit: 2 })).toEqual({ verb: "fall-back", moved: 2, more: true });
      expect(await d.run({ ...all, limit: 2 })).toEqual({ verb: "fall-back", moved: 1, more: false });
      expect((await d.describe()).counts).toMatchObject({ ready: 1, scheduled: 1 });
      expect(await d.claimIds({ queue: other })).toEqual(["b", "a", "c"]);
      await d.pass(5_000);
      expect(await d.run(all)).toEqual({ verb: "fall-back", moved: 1, more: false });
    });

    test("has nothing to do in a queue that does not exist", async (d) => {
      const queue = { ...activities, name: "nowhere" };
      expect(await d.run({ ...all, queue })).toEqual({ verb: "fall-back", moved: 0, more: false });
    });

    test("leaves alone what is started or closed, and takes it when it comes back", async (d) => {
      await d.add({ id: "started", fallback }, { id: "closed", fallback });
      const [started, closed] = await d.claim();
      if (!started || !closed) throw new Error("nothing claimed");
      await d.complete(closed);
      expect((await d.run(all)).moved).toBe(0);
      await d.giveBack("undelivered", started);
      expect([...(d.last?.withFallback.values() ?? [])]).toEqual([activities]);
      expect((await d.run(all)).moved).toBe(1);
    });

    test("is told of again after a restart", async (d) => {
      await d.add({ id: "a", fallback });
      await d.crash();
      expect(d.opened?.withFallback).toEqual([activities]);
      await d.run(all);
      await d.crash();
      expect(d.opened?.withFallback).toEqual([]);
    });

    test("leaves the line for its serial key, and joins that of the other queue", async (d) => {
      await d.add({ id: "busy", serialKey: "s", queue: other });
      const busy = await d.claimOne({ queue: other });
      await d.add(
        { id: "a", serialKey: "s", fallback },
        { id: "b", serialKey: "s" },
        { id: "c", serialKey: "s", fallback },
      );
      expect((await d.run(all)).moved).toBe(2);
      expect(await d.claimIds()).toEqual(["b"]);
      expect(await d.claimIds({ queue: other })).toEqual([]);
      expect((await d.describe(other)).waitForSerialKey).toBe(2);
      await d.complete(busy);
      expect(await d.claimIds({ queue: other })).toEqual(["a"]);
    });

    test("is asked for by a release, which uses no attempt", async (d) => {
      await d.add({ id: "a", serialKey: "s", fallback }, { id: "b", serialKey: "s" });
      const task = await d.claimOne();
      await d.heartbeat(task, "half");
      const release = { lease: task.lease, kind: "released", reason: "no such type", toFallback: true } as const;
      expect(await d.answer(release)).toEqual({ status: "accepted" });
      expect(await d.answer(release)).toEqual({ status: "already-answered" });
      expect(await d.claimIds()).toEqual(["b"]);
      const again = await d.claimOne({ queue: other });
      expect(again).toMatchObject({ id: "a", attempt: 1 });
      expect(text(again.heartbeatDetails)).toBe("half");
    });

    test("that a release asks for and the task lacks is a failed attempt, which is tried again after its back-off", async (d) => {
      await d.add({ id: "a" }, { id: "b" });
      const { lease } = await d.claimOne();
      const release = { lease, kind: "released", reason: "no file", toFallback: true } as const;
      expect(await d.answer(release)).toEqual({ status: "accepted" });
      expect(await d.answer(release)).toEqual({ status: "already-answered" });
      expect(await d.claimIds()).toEqual(["b"]);
      expect((await d.task("a")).failedAttempts).toMatchObject([
        {
          attempt: 1,
          failure: { type: "NoFallback", message: expect.stringMatching(/has none: no file$/) as unknown },
        },
      ]);
      await d.pass(1_000);
      expect(await d.claimOne()).toMatchObject({ id: "a", attempt: 2 });
    });

    test("gets no task that is to be canceled", async (d) => {
      await d.add({ id: "a", fallback }, { id: "b" });
      for (const id of ["a", "b"]) {
        const { lease } = await d.claimOne();
        await d.cancel([id]);
        await d.answer({ lease, kind: "released", reason: "", toFallback: true });
        expect(await d.state(id)).toBe("canceled");
      }
    });

    test("is met by a claim past its schedule-to-start, and the other queue is told", async (d) => {
      await d.add({ id: "a", fallback, timeouts: { scheduleToStartMs: 1_000 } });
      d.now += 1_000;
      expect(await d.claimIds()).toEqual([]);
      expect([...(d.last?.touched.values() ?? [])]).toEqual([other]);
      expect(await d.claimIds({ queue: other })).toEqual(["a"]);
    });

    test("takes what its queue holds back: limits, a pause and a drain do not refuse it", async (d) => {
      const on = { queue: other, action };
      await d.run({
        verb: "configure",
        ...on,
        fields: ["maxBacklog"],
        to: { fairnessKeys: new Map(), maxBacklog: 0 },
      });
      await d.run({ verb: "pause", ...on });
      await d.run({ verb: "drain", ...on });
      await d.run({ verb: "pause", ...on, queue: activities });
      await d.add({ id: "a", fallback });
      expect((await d.run(all)).moved).toBe(1);
      await d.run({ verb: "resume", ...on });
      expect(await d.claimIds({ queue: other })).toEqual(["a"]);
    });

    test("survives a crash with its leases and its history", async (d) => {
      await d.add({ id: "a", fallback });
      await d.fail(await d.claimOne(), failure());
      await d.pass(1_000);
      await d.run(all);
      await d.crash();
      expect(await d.claimOne({ queue: other })).toMatchObject({ id: "a", attempt: 2 });
    });
  });
}
