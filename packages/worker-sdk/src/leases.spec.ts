import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { decodePayload } from "@tq/client";
import { expect, test } from "vitest";
import { Code, refusal } from "../test/fake-server.ts";
import { settle } from "../test/manual-clock.ts";
import { gate, rig } from "../test/rig.ts";
import { Context } from "./context.ts";
import { CancelledFailure } from "./failure.ts";

const text = (token: Uint8Array) => Buffer.from(token).toString();

/** An activity that waits for its signal, and says why it was aborted. */
function waitsForSignal() {
  const reasons: unknown[] = [];
  const activities = {
    async wait() {
      const { cancellationSignal } = Context.current();
      await new Promise((resolve) => cancellationSignal.addEventListener("abort", resolve));
      reasons.push((cancellationSignal.reason as CancelledFailure).reason);
      throw cancellationSignal.reason;
    },
  };
  return { activities, reasons };
}

/** An activity whose calls end when they are told to. */
function endsWhenTold() {
  const ends: PromiseWithResolvers<void>[] = [];
  const brief = async () => {
    const end = gate();
    ends.push(end);
    await end.promise;
  };
  return { brief, ends };
}

test("all leases are renewed every five seconds, and a call goes out without any, too", async () => {
  const end = gate();
  const { clock, server } = await rig({ activities: { wait: () => end.promise } });
  await clock.advance(10_000);
  expect(server.renews.map(({ tokens }) => tokens.length)).toEqual([0, 0]);
  server.add("a", "wait");
  server.add("b", "wait");
  await clock.advance(10_000);
  const renews = server.renews.slice(2).filter(({ receivedPollIds }) => receivedPollIds.length === 0);
  expect(renews.map(({ tokens }) => tokens.map(text))).toEqual([["a/1", "b/2"]]);
  // So that the queue has a worker also while no slot is free.
  for (const { taskQueues } of [...server.renews, ...server.listens]) expect(taskQueues).toMatchObject([{ name: "q" }]);
  expect(server.renews.at(-1)?.status).toMatchObject({ activitySlots: 100, activitySlotsUsed: 2, workflowSlots: 0 });
  end.resolve();
  await clock.advance(5_000);
  expect(server.renews.at(-1)?.tokens).toEqual([]);
});

test("a short lease is renewed every third of it", async () => {
  const end = gate();
  const { clock, server } = await rig({ activities: { wait: () => end.promise }, lease: "3s" });
  expect(server.polls[0]).toMatchObject({ lease: durationFromMs(3_000), confirmWithin: durationFromMs(3_000) });
  server.add("a", "wait");
  await clock.advance(5_000);
  expect(server.renews.length).toBe(5);
  end.resolve();
});

test("tasks that arrived are confirmed by the next call, and by one of its own within a second", async () => {
  const end = gate();
  const { clock, server } = await rig({
    activities: { wait: () => end.promise },
    maxConcurrentActivityTaskExecutions: 10,
  });
  server.add("a", "wait");
  await settle();
  const [first, second] = server.polls;
  // The poll that follows at once confirms it already, but is not answered; so a renewal says it again.
  expect(second?.receivedPollIds).toEqual([first?.pollId]);
  await clock.advance(1_000);
  expect(server.renews.map(({ receivedPollIds }) => receivedPollIds)).toEqual([[first?.pollId]]);
  await clock.advance(5_000);
  expect(server.renews.at(-1)?.receivedPollIds).toEqual([]);
  end.resolve();
});

test("a cancel reaches the handler's signal well within a second, also with no slot free", async () => {
  const { activities, reasons } = waitsForSignal();
  const { clock, server } = await rig({ activities, maxConcurrentActivityTaskExecutions: 1 });
  server.add("a", "wait");
  await clock.advance(50);
  expect(server.listens.map(({ tokens }) => tokens.map(text))).toEqual([["a/1"]]);
  await clock.advance(50);
  expect(server.listens.length).toBe(2);
  server.cancel("a", "too slow");
  await settle();
  expect(reasons).toEqual(["CANCEL_REQUESTED"]);
  expect(server.answered("canceled")).toBe("a");
});

test("a cancel of a task that has just arrived is heard at once where a call is open, though that does not name it", async () => {
  const { activities, reasons } = waitsForSignal();
  const { clock, server } = await rig({ activities });
  server.add("a", "wait");
  await clock.advance(5_100);
  server.add("b", "wait");
  await settle();
  server.cancel("b");
  await settle();
  expect(reasons).toEqual(["CANCEL_REQUESTED"]);
  expect(server.answered("canceled")).toBe("b");
});

test("a cancel of a worker's first task is heard within 50 ms of its arrival", async () => {
  const { activities, reasons } = waitsForSignal();
  const { clock, server } = await rig({ activities });
  server.add("a", "wait");
  await settle();
  server.cancel("a");
  await clock.advance(49);
  expect(reasons).toEqual([]);
  await clock.advance(1);
  expect(reasons).toEqual(["CANCEL_REQUESTED"]);
});

test("a cancel is heard within 50 ms of a task's arrival, or 250 where a call is open, also among others that are over at once", async () => {
  const { activities, reasons } = waitsForSignal();
  const { brief, ends } = endsWhenTold();
  const { clock, server } = await rig({ activities: { ...activities, brief } });
  const passFor = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += 10) {
      server.add(`brief${ends.length}`, "brief");
      await clock.advance(10);
      ends.at(-2)?.resolve();
      await settle();
    }
  };
  await passFor(200);
  server.add("a", "wait");
  await settle();
  server.cancel("a");
  await passFor(50);
  expect(reasons.length).toBe(1);
  server.add("b", "wait");
  await passFor(300);
  const open = server.listens.length;
  server.add("c", "wait");
  await passFor(240);
  expect(server.listens.length).toBe(open);
  await passFor(20);
  expect(server.listens.at(-1)?.tokens.some((token) => text(token).startsWith("c/"))).toBe(true);
  ends.forEach((end) => end.resolve());
});

test("listening costs at most four calls a second, none for short tasks, and few where the server holds nothing", async () => {
  const { activities } = waitsForSignal();
  const { brief, ends } = endsWhenTold();
  const { clock, server } = await rig({
    activities: { ...activities, quick: () => 1, brief },
    maxConcurrentActivityTaskExecutions: 50,
  });
  for (let n = 0; n < 100; n++) {
    server.add(`quick${n}`, "quick");
    await clock.advance(50);
  }
  expect(server.listens.length).toBe(0);
  // One is always there, but none for long.
  for (let n = 0; n < 50; n++) {
    server.add(`brief${n}`, "brief");
    await clock.advance(20);
    ends[n - 1]?.resolve();
    await settle();
  }
  ends.at(-1)?.resolve();
  await settle();
  expect([ends.length, server.listens.length]).toEqual([50, 0]);
  for (let n = 0; n < 40; n++) {
    server.add(`slow${n}`, "wait");
    await clock.advance(50);
  }
  expect(server.listens.length).toBeLessThanOrEqual(9);
  await clock.advance(250);
  expect(server.listens.at(-1)?.tokens.length).toBe(40);
  // Every cancel ends a call; they come in bursts.
  const before = server.listens.length;
  for (let n = 0; n < 40; n++) server.cancel(`slow${n}`);
  await clock.advance(1_000);
  expect(server.listens.length - before).toBeLessThanOrEqual(4);
  expect(server.answered("canceled").split(" ").length).toBe(40);
});

test("a handler that ignores a cancel completes, one that fails for another reason fails", async () => {
  const go = gate();
  const { clock, server } = await rig({
    activities: {
      async ignore() {
        await go.promise;
        return 1;
      },
      async fail() {
        await go.promise;
        throw new Error("disk full");
      },
      async letThrough() {
        await go.promise;
        throw new Error("could not finish", { cause: Context.current().cancellationSignal.reason });
      },
      async passOn() {
        await new Promise((_resolve, reject) => {
          const { cancellationSignal } = Context.current();
          const abort = () => reject(Object.assign(new Error("aborted"), { name: "AbortError" }));
          cancellationSignal.addEventListener("abort", abort);
        });
      },
      async sleep() {
        await Context.current().sleep("1h");
      },
      async pretend() {
        throw new CancelledFailure("CANCEL_REQUESTED", "nobody asked");
      },
    },
  });
  const ids = ["ignore", "fail", "letThrough", "passOn", "sleep"];
  for (const id of [...ids, "pretend"]) server.add(id, id);
  await clock.advance(1_000);
  for (const id of ids) server.cancel(id);
  await clock.advance(500);
  go.resolve();
  await clock.advance(1_000);
  expect(server.answered("completed")).toBe("ignore");
  expect(server.answered("failed").split(" ").toSorted()).toEqual(["fail", "pretend"]);
  expect(server.answered("canceled").split(" ").toSorted()).toEqual(["letThrough", "passOn", "sleep"]);
});

test("a handler whose lease is lost is told why; its late answer is dropped, and logged once", async () => {
  const { activities, reasons } = waitsForSignal();
  const end = gate();
  const late = async () => (await end.promise, "late");
  const { clock, server, lines } = await rig({
    activities: { ...activities, late },
    maxConcurrentActivityTaskExecutions: 2,
  });
  server.add("a", "wait");
  server.add("b", "late");
  await clock.advance(1_000);
  server.lose("a");
  server.lose("b");
  await clock.advance(1_000);
  expect(reasons).toEqual(["LEASE_LOST"]);
  // The handler of `b` still runs, so its slot is taken; that of `a` is free.
  expect(server.polls.at(-1)?.maxTasks).toBe(1);
  end.resolve();
  await clock.advance(1_000);
  expect([...server.answers.keys()]).toEqual([]);
  expect(server.responds).toEqual([]);
  const dropped = lines.filter(({ message }) => message.includes("dropped"));
  expect(dropped.map(({ level, taskId }) => [level, taskId])).toEqual([
    ["warn", "a"],
    ["warn", "b"],
  ]);
});

test("a lease that is found lost by the answer is logged once too, and its slot is free again", async () => {
  const { clock, server, lines } = await rig({ activities: { work: () => 1 }, maxConcurrentActivityTaskExecutions: 1 });
  server.lose("a");
  server.add("a", "work");
  await clock.advance(1_000);
  expect(lines.filter(({ message }) => message.includes("dropped")).length).toBe(1);
  server.add("b", "work");
  await settle();
  expect(server.answered("completed")).toBe("b");
});

test("a handler that takes longer than its start-to-close timeout is told so by the worker's own clock, server or not", async () => {
  const { activities, reasons } = waitsForSignal();
  const { clock, server } = await rig({ activities });
  server.add("a", "wait", { startToCloseTimeout: durationFromMs(10_000) });
  server.add("b", "wait", { startToCloseTimeout: durationFromMs(12_000) });
  server.add("c", "wait");
  await clock.advance(5_000);
  server.add("d", "wait", { startToCloseTimeout: durationFromMs(1_000) });
  await clock.advance(500);
  const down = refusal(Code.Unavailable, "SHUTTING_DOWN", "going");
  for (const call of ["PollTasks", "RespondTasks", "RenewLeases"] as const) server.failNext(call, down, 1_000);
  await clock.advance(499);
  expect(reasons).toEqual([]);
  await clock.advance(1);
  expect(reasons).toEqual(["TIMED_OUT"]);
  await clock.advance(4_000);
  expect(reasons).toEqual(["TIMED_OUT", "TIMED_OUT"]);
  await clock.advance(100_000);
  expect(reasons).toEqual(["TIMED_OUT", "TIMED_OUT", "TIMED_OUT"]);
  // Should the server not have said so before, it is told what it would have said itself.
  server.heal();
  await clock.advance(6_000);
  expect(server.answered("failed")).toBe("d a b");
  expect(server.answers.get("a")?.answer.value).toMatchObject({
    failure: { type: "StartToClose", nonRetryable: false },
  });
});

test("where the server says first that the attempt took too long, the signal says so too", async () => {
  const { activities, reasons } = waitsForSignal();
  const { clock, server } = await rig({ activities });
  server.add("a", "wait", { startToCloseTimeout: durationFromMs(10_000) });
  await clock.advance(9_900);
  server.lose("a");
  await clock.advance(50);
  expect(reasons).toEqual(["TIMED_OUT"]);
  await clock.advance(1_000);
  expect(server.answers.size).toBe(0);
});

test("heartbeats of a second go in one call, the latest of each task; after the handler's end they mean nothing", async () => {
  const end = gate();
  const contexts: Context[] = [];
  const { clock, server } = await rig({
    activities: {
      async work() {
        contexts.push(Context.current());
        await end.promise;
      },
    },
  });
  server.add("a", "work");
  server.add("b", "work");
  await clock.advance(2_000);
  const before = server.renews.length;
  for (let n = 0; n < 100; n++) contexts[0]!.heartbeat({ n });
  contexts[1]!.heartbeat();
  await clock.advance(1_000);
  const [call, ...more] = server.renews.slice(before);
  expect(more).toEqual([]);
  expect(call?.heartbeats.map(({ token, details }) => [text(token), decodePayload(details)])).toEqual([
    ["a/1", { n: 99 }],
    ["b/2", undefined],
  ]);
  expect(() => contexts[0]!.heartbeat(1n)).toThrow(expect.objectContaining({ code: "invalid_argument" }));
  // Sent, it would have the renewal refused, and with it every lease of the worker.
  expect(() => contexts[0]!.heartbeat("x".repeat(600_000))).toThrow(
    expect.objectContaining({ reason: "PAYLOAD_TOO_LARGE" }),
  );
  end.resolve();
  await settle();
  contexts[0]!.heartbeat("after the end");
  await clock.advance(10_000);
  expect(server.renews.slice(before + 1).flatMap(({ heartbeats }) => heartbeats)).toEqual([]);
});

test("what a handler said just before its attempt ends reaches the server before the answer does", async () => {
  const { clock, server } = await rig({
    activities: {
      async fails() {
        for (let n = 0; n < 3; n++) Context.current().heartbeat(n);
        throw new Error("after a mark");
      },
      async succeeds() {
        Context.current().heartbeat("half");
      },
    },
  });
  const letThrough = server.hold("HeartbeatTasks");
  for (const id of ["a", "b"]) server.add(id, "fails");
  server.add("c", "succeeds");
  await clock.advance(0);
  expect(
    server.heartbeats.map((call) => call.map(({ token, details }) => [text(token), decodePayload(details)])),
  ).toEqual([
    [
      ["a/1", 2],
      ["b/2", 2],
    ],
  ]);
  expect(server.answered("failed")).toBe("");
  expect(server.answered("completed")).toBe("c");
  letThrough();
  await server.answeredAll("a", "b");
  expect(server.answered("failed")).toBe("a b");
});

test("an attempt is answered also where the server does not take what its handler said last", async () => {
  const { clock, server, worker } = await rig({
    activities: {
      async fails() {
        Context.current().heartbeat("mark");
        throw new Error("after a mark");
      },
    },
  });
  server.failNext("HeartbeatTasks", refusal(Code.Unavailable, "SHUTTING_DOWN"));
  server.failNext("HeartbeatTasks", refusal(Code.Unimplemented, ""));
  server.add("a", "fails");
  await clock.advance(0);
  expect(server.answered("failed")).toBe("");
  await clock.advance(100);
  expect(server.heartbeats.length).toBe(2);
  expect(server.answered("failed")).toBe("a");
  expect(worker.getStatus()).toMatchObject({ isServerAway: false, answersUnderWay: 0, heldTasks: 0 });
});

test("a heartbeat is sent sooner where its timeout is short, and again if the call with it was lost", async () => {
  const end = gate();
  const { clock, server } = await rig({
    activities: {
      async work() {
        Context.current().heartbeat("alive");
        await end.promise;
      },
    },
  });
  server.add("a", "work", { heartbeatTimeout: durationFromMs(800) });
  await clock.advance(150);
  server.failNext("RenewLeases", refusal(Code.Unavailable, "SHUTTING_DOWN"));
  await clock.advance(50);
  expect(server.renews.length).toBe(1);
  await clock.advance(100);
  expect(server.renews.map(({ heartbeats }) => heartbeats.map(({ details }) => decodePayload(details)))).toEqual([
    ["alive"],
    ["alive"],
  ]);
  end.resolve();
});

test("an outage has one line at its start and one at its end; what is held is kept, and answered afterwards", async () => {
  const end = gate();
  const { clock, server, worker, lines } = await rig({ activities: { work: async () => (await end.promise, "done") } });
  server.add("a", "work");
  await clock.advance(2_000);
  const down = refusal(Code.Unavailable, "SHUTTING_DOWN", "going");
  for (const call of ["PollTasks", "RespondTasks", "RenewLeases"] as const) server.failNext(call, down, 1_000);
  server.add("b", "work");
  await clock.advance(60_000);
  end.resolve();
  await clock.advance(60_000);
  const warnings = () => lines.filter(({ level }) => level !== "info" && level !== "debug");
  expect(warnings()).toMatchObject([
    { message: expect.stringContaining("keeps its tasks") as unknown, error: "going", heldTasks: 2 },
  ]);
  // Twelve times a minute at most for each of its calls, once the wait has grown.
  const calls = server.polls.length + server.renews.length + server.responds.length + server.listens.length;
  expect(calls).toBeLessThan(120);
  server.heal();
  await clock.advance(6_000);
  expect(warnings().slice(1)).toMatchObject([{ message: expect.stringContaining("go through again") as unknown }]);
  expect(server.answered("completed")).toBe("a b");
  expect(worker.getState()).toBe("RUNNING");
});
