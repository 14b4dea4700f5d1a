import { describe, expect, it } from "vitest";
import { fakeActivityQueue, fakeNow, fakeQueue, fakeTask, fakeWorker } from "../../test/fake-matching.ts";
import { noConfig, type TaskQueueRecord, type TaskRecord } from "@tq/storage";
import type { QueueActivity } from "../matching/matching.ts";
import { waitReasons as reasonsOf, waitReasonsOfTask } from "./wait-reasons.ts";

const queue = fakeActivityQueue("emails");
const waitReasons = (record: TaskQueueRecord, activity: QueueActivity) => reasonsOf({ record, activity, now: fakeNow });
const activity = (...workers: QueueActivity["workers"][number][]): QueueActivity => ({
  addsPerSecond: 0,
  dispatchesPerSecond: 0,
  workers,
});
const only = (...types: string[]) => ({ registrations: { activity: types, workflow: [] } });
const ready = (byType: Record<string, number>, waitForSerialKey = 0) => {
  const placed = Object.values(byType).reduce((sum, count) => sum + count, 0);
  return fakeQueue(queue, {
    counts: { scheduled: 5, ready: placed + waitForSerialKey, started: 0, dead: 0 },
    placedByType: new Map(Object.entries(byType)),
    waitForSerialKey,
    oldestReadyAt: fakeNow - 1_000,
  });
};

describe("waitReasons", () => {
  it("is first of all a store that refuses writes", () => {
    const record = fakeQueue(queue, { counts: { scheduled: 1, ready: 2, started: 0, dead: 0 } });
    const activity = { addsPerSecond: 0, dispatchesPerSecond: 0, workers: [], storeError: "the disk is full" };
    expect(waitReasons(record, activity)).toMatchObject([{ reason: "store-unavailable", count: 3 }]);
    expect(waitReasons(record, activity)[0]?.hint).toContain("the disk is full");
  });

  it("gives none for a queue that is empty or moves", () => {
    expect(waitReasons(fakeQueue(queue), activity())).toEqual([]);
    expect(waitReasons(ready({ a: 1 }), activity(fakeWorker("w")))).toEqual([]);
  });

  it("says that no worker polls, with since when", () => {
    const [reason, ...others] = waitReasons(ready({ a: 1, b: 2 }), activity());
    expect(reason).toMatchObject({ reason: "no-workers", count: 3, since: fakeNow - 1_000 });
    expect(reason?.hint).toContain('"emails"');
    expect(others).toEqual([]);
  });

  it.each([
    ["shut down", { shuttingDown: true }],
    ["are drained", { draining: true }],
  ])("takes workers that %s for none", (_what, fields) => {
    const [reason] = waitReasons(ready({ a: 1 }), activity(fakeWorker("w", fields)));
    expect(reason).toMatchObject({ reason: "no-workers" });
    expect(reason?.hint).toContain("shutting down");
  });

  it("names the types that nobody has, and those whose workers are busy", () => {
    const reasons = waitReasons(
      ready({ a: 1, b: 2, c: 4 }),
      activity(fakeWorker("one", only("a")), fakeWorker("two", { ...only("b"), freeSlots: 0 })),
    );
    expect(reasons.map(({ reason, count }) => [reason, count])).toEqual([
      ["missing-type", 4],
      ["no-free-slots", 2],
    ]);
    expect(reasons[0]?.hint).toContain('"c"');
  });

  it("lets workers whose registrations it does not know be able to do everything", () => {
    const worker = fakeWorker("w", { registrations: undefined, freeSlots: 0 });
    expect(waitReasons(ready({ a: 1 }), activity(worker)).map(({ reason }) => reason)).toEqual(["no-free-slots"]);
  });

  it("counts those that wait for their serial key apart", () => {
    const reasons = waitReasons(ready({}, 3), activity());
    expect(reasons).toMatchObject([{ reason: "serial-key-busy", count: 3, since: fakeNow - 1_000 }]);
  });

  it("says that everything is delayed only where nothing is ready", () => {
    const counts = { scheduled: 2, ready: 0, started: 1, dead: 0 };
    expect(waitReasons(fakeQueue(queue, { counts }), activity())).toMatchObject([{ reason: "all-delayed", count: 2 }]);
    const since = fakeNow - 9;
    expect(waitReasons(fakeQueue(queue, { counts, delayedSince: since }), activity())).toMatchObject([{ since }]);
  });
});

describe("limits and pauses", () => {
  const moving = () => activity(fakeWorker("w"));
  const reasonsIn = (fields: Partial<TaskQueueRecord>, of: QueueActivity = moving()) =>
    waitReasons({ ...ready({ a: 2 }), ...fields }, of);
  const pause = { actor: "alice", reason: "deploy", since: fakeNow - 60_000 };
  const config = (fields: object) => ({ ...noConfig, ...fields });

  it("say first that dispatch is paused, by whom and until when", () => {
    const [first, second] = reasonsIn({ pause: { ...pause, until: fakeNow + 1 } }, activity());
    expect(first).toMatchObject({ reason: "paused", count: 2, since: fakeNow - 60_000 });
    expect(first?.hint).toMatch(/"alice" paused dispatch \("deploy"\).*2023-11-14T22:13:20\.001Z/);
    expect(second?.reason).toBe("no-workers");
  });

  it("take a pause whose time is over for none", () => {
    expect(reasonsIn({ pause: { ...pause, until: fakeNow } })).toEqual([]);
  });

  it("count those that serial keys hold up under a pause, too", () => {
    const record = { ...ready({ a: 2 }, 3), pause };
    expect(waitReasons(record, moving()).map(({ reason, count }) => [reason, count])).toEqual([
      ["paused", 5],
      ["serial-key-busy", 3],
    ]);
  });

  it("say that the rate is used up, and whose it is", () => {
    const rateLimitedUntil = fakeNow + 1;
    const [own] = reasonsIn({ rateLimitedUntil, config: config({ ratePerSecond: 5 }) });
    expect(own).toMatchObject({ reason: "rate-limited", count: 2, since: fakeNow - 1_000 });
    expect(own?.hint).toContain("5 a second, as its rate_per_second says");
    const [asked] = reasonsIn({ rateLimitedUntil }, { ...moving(), askedRate: 0.5 });
    expect(asked?.hint).toContain("0.5 a second, the smallest rate that its workers ask for");
    expect(reasonsIn({ rateLimitedUntil: fakeNow })).toEqual([]);
  });

  it("say that as many are started as may be", () => {
    const counts = { scheduled: 0, ready: 2, started: 4, dead: 0 };
    expect(reasonsIn({ counts, config: config({ maxStarted: 5 }) })).toEqual([]);
    expect(reasonsIn({ counts, config: config({ maxStarted: 4 }) })).toMatchObject([
      { reason: "max-started", count: 2, since: fakeNow - 1_000 },
    ]);
  });

  it("say of keys how many are held back, with how many tasks", () => {
    const heldBackKeys = { rate: { keys: 1, tasks: 5, since: 7 }, "max-started": { keys: 3, tasks: 20 } };
    const [started, rate] = reasonsIn({ heldBackKeys });
    expect(started).toMatchObject({ reason: "key-max-started", count: 20 });
    expect(started?.hint).toContain("3 fairness keys");
    expect(rate).toMatchObject({ reason: "key-rate-limited", count: 5, since: 7 });
  });

  const held = { pause, rateLimitedUntil: fakeNow + 1, counts: { scheduled: 0, ready: 2, started: 9, dead: 0 } };
  const heldBackKeys = { rate: { keys: 1, tasks: 1 }, "max-started": { keys: 1, tasks: 1 } };
  const everyLimit = { ...held, heldBackKeys, config: config({ ratePerSecond: 5, maxStarted: 9 }) };
  const limits = ["max-started", "rate-limited", "key-max-started", "key-rate-limited"];

  it("come before slots, which are then not the cause", () => {
    const reasons = reasonsIn(everyLimit, activity(fakeWorker("w", { freeSlots: 0 })));
    expect(reasons.map(({ reason }) => reason)).toEqual(["paused", ...limits, "no-free-slots"]);
  });

  it("come after workers that are missing", () => {
    expect(reasonsIn(everyLimit, activity()).map(({ reason }) => reason)).toEqual(["paused", "no-workers", ...limits]);
    const others = activity(fakeWorker("w", only("b")));
    expect(reasonsIn(everyLimit, others).map(({ reason }) => reason)).toEqual(["paused", "missing-type", ...limits]);
  });

  it("are none where nothing is ready", () => {
    const counts = { scheduled: 1, ready: 0, started: 9, dead: 0 };
    const full = { counts, pause, rateLimitedUntil: fakeNow + 1, config: config({ maxStarted: 9 }) };
    expect(waitReasons(fakeQueue(queue, full), moving()).map(({ reason }) => reason)).toEqual(["all-delayed"]);
  });
});

describe("waitReasonsOfTask", () => {
  const of = (task: TaskRecord, fields: Partial<TaskQueueRecord> = {}, workers: QueueActivity = activity()) =>
    waitReasonsOfTask(task, { record: fakeQueue(queue, fields), activity: workers, now: fakeNow });

  it.each([
    [fakeTask("a"), "no-workers"],
    [fakeTask("a", { state: "scheduled" }), "all-delayed"],
    [fakeTask("a", { waitsForSerialKey: true }), "serial-key-busy"],
    [fakeTask("a", { state: "started" }), undefined],
    [fakeTask("a", { state: "completed" }), undefined],
  ])("gives the same for one task", (task, expected) => {
    expect(of(task)[0]?.reason).toBe(expected);
  });

  it("counts the task that waits for its key", () => {
    const workers = activity(fakeWorker("w"));
    expect(of(fakeTask("a", { keyHeldBack: "rate" }), {}, workers)).toMatchObject([
      { reason: "key-rate-limited", count: 1 },
    ]);
    expect(of(fakeTask("a", { keyHeldBack: "max-started" }), {}, workers)).toMatchObject([
      { reason: "key-max-started", count: 1 },
    ]);
  });

  it("knows the limits of its queue, and not the keys of others", () => {
    const heldBackKeys = { rate: { keys: 9, tasks: 40 }, "max-started": { keys: 9, tasks: 9 } };
    const counts = { scheduled: 0, ready: 50, started: 1, dead: 0 };
    const fields = { heldBackKeys, counts, config: { ...noConfig, maxStarted: 1 } };
    expect(of(fakeTask("a"), fields, activity(fakeWorker("w")))).toMatchObject([{ reason: "max-started", count: 1 }]);
  });
});
