import { Client } from "@tq/client";
import { expect, test } from "vitest";
import { Code, FakeServer, refusal } from "../test/fake-server.ts";
import { ManualClock, settle } from "../test/manual-clock.ts";
import { Renewal } from "./renewal.ts";
import type { RenewalNews } from "./renewal-messages.ts";

const oneUsed = { activitySlots: 2, activitySlotsUsed: 1, workflowSlots: 0, workflowSlotsUsed: 0 };
function rig({ isMovedByHand = false } = {}) {
  const clock = Object.assign(new ManualClock(), { isMovedByHand });
  const server = new FakeServer(clock);
  const client = Client.create({ transport: server.transport, clock, random: () => 1 });
  const news: RenewalNews[] = [];
  let isOwnerAwake = true;
  let isPolling = false;
  let isOwnerHeldUp = false;
  let status = oneUsed;
  const renewal = new Renewal({
    client,
    settings: {
      workerId: "w",
      identity: "me",
      buildId: "",
      activityTypes: ["a"],
      workflowTypes: [],
      taskQueues: [],
      leaseMs: 30_000,
    },
    report: (one) => void news.push(one),
    status: () => status,
    isOwnerAwake: () => isOwnerAwake,
    isSeenAlive: () => isPolling,
    isOwnerHeldUp: () => isOwnerHeldUp,
  });
  renewal.start();
  const begin = (key: string) => renewal.begun([{ key, type: "a" }], clock.now());
  const receive = (...pollIds: string[]) => pollIds.forEach((pollId) => renewal.received(pollId, clock.now()));
  const use = (activitySlotsUsed: number) => void (status = { ...oneUsed, activitySlotsUsed });
  const wake = (isAwake: boolean) => void (isOwnerAwake = isAwake);
  const poll = (waits: boolean) => void (isPolling = waits);
  const told = (kind: RenewalNews["kind"]) => news.filter((one) => one.kind === kind);
  const holdUp = (isHeldUp: boolean) => void (isOwnerHeldUp = isHeldUp);
  return { clock, server, renewal, begin, receive, use, wake, poll, holdUp, told };
}

test("leases are kept while the worker is blocked; once none is left it counts as gone, until it turns again", async () => {
  const { clock, server, renewal, begin, wake, told } = rig();
  begin("a/1");
  wake(false);
  await clock.advance(600_000);
  expect(server.renews.length).toBeGreaterThanOrEqual(119);
  expect(server.renews.at(-1)?.tokens.length).toBe(1);
  // Its start-to-close timeout is over.
  server.lose("a");
  await clock.advance(1_000);
  expect(told("lost")).toEqual([{ kind: "lost", keys: ["a/1"] }]);
  const calls = server.renews.length + server.listens.length;
  await clock.advance(600_000);
  expect(server.renews.length + server.listens.length).toBe(calls);
  wake(true);
  renewal.take({ kind: "pulse", isInspected: false });
  await clock.advance(1);
  expect(server.renews.length + server.listens.length).toBe(calls + 1);
  renewal.stop();
  await clock.advance(60_000);
  expect(clock.pending).toBe(0);
});

test("polls that arrived are confirmed within a second, whether or not the worker turns, and the worker is told", async () => {
  const { clock, server, renewal, begin, receive, wake, told } = rig();
  begin("a/1");
  receive("p1", "p2");
  renewal.confirmed(["p1"]);
  wake(false);
  await clock.advance(1_000);
  expect(server.renews.map(({ receivedPollIds }) => receivedPollIds)).toEqual([["p2"]]);
  expect(told("confirmed")).toEqual([{ kind: "confirmed", pollIds: ["p2"] }]);
  renewal.stop();
  await settle();
  expect(clock.pending).toBe(0);
});

test("a worker that is seen alive calls only if it has something to say, and within 15 s once it is no longer seen", async () => {
  const { clock, server, renewal, begin, receive, use, poll } = rig({ isMovedByHand: true });
  const calls = async (ms: number) => {
    const before = server.renews.length;
    await clock.advance(ms);
    return server.renews.length - before;
  };
  poll(true);
  // Once, to tell of its slots.
  expect(await calls(3_600_000)).toBe(1);
  use(2);
  expect(await calls(3_600_000)).toBe(1);
  expect(server.renews.at(-1)?.status).toMatchObject({ activitySlotsUsed: 2 });
  poll(false);
  expect(await calls(14_999)).toBe(1);
  expect(await calls(60_000)).toBe(6);
  poll(true);
  expect(await calls(3_600_000)).toBe(0);
  // Leases are kept, whatever waits.
  begin("a/1");
  receive("p1");
  expect(await calls(3_600_000)).toBeGreaterThanOrEqual(360);
  renewal.stop();
  await clock.advance(60_000);
  expect(clock.pending).toBe(0);
});

test("while the worker stands still the server is told which of its polls are open, at once and with each renewal", async () => {
  const { clock, server, renewal, begin, holdUp } = rig();
  const told = () => server.renews.map(({ heldUpPollIds }) => heldUpPollIds);
  begin("a/1");
  for (const pollId of ["p1", "p2", "p3"]) renewal.polling(pollId);
  renewal.polled("p1");
  await clock.advance(5_000);
  expect(told()).toEqual([[]]);
  holdUp(true);
  for (let look = 0; look < 4; look++) {
    renewal.ownerIsHeldUp();
    await clock.advance(0);
  }
  expect(told().slice(1)).toEqual([["p2", "p3"]]);
  await clock.advance(10_000);
  expect(told().slice(2)).toEqual([
    ["p2", "p3"],
    ["p2", "p3"],
  ]);
  holdUp(false);
  renewal.take({ kind: "pulse", isInspected: false });
  for (const pollId of ["p2", "p3"]) renewal.polled(pollId);
  await clock.advance(5_000);
  expect(told().at(-1)).toEqual([]);
  // The next time is told anew.
  renewal.polling("p4");
  holdUp(true);
  renewal.ownerIsHeldUp();
  await clock.advance(0);
  expect(told().at(-1)).toEqual(["p4"]);
  renewal.stop();
  await settle();
  expect(clock.pending).toBe(0);
});

test("a heartbeat of before an answer is not sent once that is on its way, nor once it was refused", async () => {
  const { clock, server, renewal, begin } = rig();
  const beat = (key: string) => renewal.take({ kind: "heartbeat", key, details: undefined, withinMs: 500 });
  const sent = () =>
    server.renews.flatMap(({ heartbeats }) => heartbeats.map(({ token }) => Buffer.from(token).toString()));
  for (const key of ["a/1", "b/1", "c/1"]) {
    begin(key);
    beat(key);
  }
  renewal.answering("a/1");
  renewal.answering("b/1");
  beat("a/1");
  begin("b/1");
  await clock.advance(500);
  expect(sent()).toEqual(["c/1"]);
  // Another answer is due, and the work on it goes on.
  beat("b/1");
  await clock.advance(500);
  expect(sent()).toEqual(["c/1", "b/1"]);
  renewal.stop();
});

test("listening that failed counts as failing no longer once only tasks come that are over soon", async () => {
  const { clock, server, renewal, begin, told } = rig();
  const call = "RenewLeases (held open)";
  server.failNext("RenewLeases", refusal(Code.Unavailable, "SHUTTING_DOWN", "going"));
  begin("a");
  await clock.advance(50);
  expect(told("calls").at(-1)).toMatchObject({ event: { kind: "failed", call } });
  for (let n = 0; n < 50; n++) {
    begin(`brief${n}`);
    renewal.over(n === 0 ? "a" : `brief${n - 1}`);
    await clock.advance(20);
  }
  expect(server.listens.length).toBe(1);
  expect(told("calls").at(-1)).toMatchObject({ event: { kind: "dropped", call } });
  renewal.stop();
});

test("a clock that is set back by an hour puts no listening off", async () => {
  const { clock, server, renewal, begin } = rig();
  begin("a");
  clock.jump(-3_600_000);
  await clock.advance(50);
  expect(server.listens.length).toBe(1);
  begin("b");
  await clock.advance(250);
  expect(server.listens.length).toBe(2);
  renewal.stop();
});
