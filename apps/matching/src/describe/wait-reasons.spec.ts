import { describe, expect, it } from "vitest";
import { fakeActivityQueue, fakeNow, fakeQueue, fakeTask, fakeWorker } from "../../test/fake-matching.ts";
import type { QueueActivity } from "../matching/matching.ts";
import { waitReasons, waitReasonsOfTask } from "./wait-reasons.ts";

const queue = fakeActivityQueue("emails");
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

  it("takes workers that shut down for none", () => {
    const [reason] = waitReasons(ready({ a: 1 }), activity(fakeWorker("w", { shuttingDown: true })));
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
    expect(reasons.map(({ reason, count }) => [reason, count])).toEqual([["serial-key-busy", 3]]);
  });

  it("says that everything is delayed only where nothing is ready", () => {
    const record = fakeQueue(queue, { counts: { scheduled: 2, ready: 0, started: 1, dead: 0 } });
    expect(waitReasons(record, activity())).toMatchObject([{ reason: "all-delayed", count: 2 }]);
  });
});

describe("waitReasonsOfTask", () => {
  it.each([
    [fakeTask("a"), "no-workers"],
    [fakeTask("a", { state: "scheduled" }), "all-delayed"],
    [fakeTask("a", { waitsForSerialKey: true }), "serial-key-busy"],
    [fakeTask("a", { state: "started" }), undefined],
    [fakeTask("a", { state: "completed" }), undefined],
  ])("gives the same for one task", (task, expected) => {
    expect(waitReasonsOfTask(task, activity())[0]?.reason).toBe(expected);
  });
});
