import { describe, expect, it } from "vitest";
import { everything, liveWorkerMs, Workers, type WorkerCall } from "./workers.ts";

const queue = { namespace: "default", name: "q", kind: "activity" as const };
const registrations = { activity: ["x"], workflow: [] };

function call(more: Partial<WorkerCall> = {}): WorkerCall {
  return { namespace: "default", workerId: "w1", identity: "", buildId: "", registrationsHash: "", ...more };
}

describe("workers", () => {
  it("one is live for 15 s after its last call", () => {
    const workers = new Workers();
    workers.seen(call(), 0);
    workers.seen(call(), 1_000);
    expect(workers.takeGone(1_000 + liveWorkerMs - 1)).toEqual([]);
    expect(workers.nextWake()).toBeLessThanOrEqual(1_000 + liveWorkerMs + 100);
    expect(workers.takeGone(1_000 + liveWorkerMs).map((worker) => worker.workerId)).toEqual(["w1"]);
    expect([workers.size, workers.nextWake()]).toEqual([0, undefined]);
  });

  it("one with an open poll is live for as long as it waits, and 15 s more", () => {
    const workers = new Workers();
    const worker = workers.seen(call(), 0);
    workers.callOpened(worker, [queue]);
    workers.callOpened(worker, [queue]);
    workers.callClosed(worker, 1_000);
    expect(workers.takeGone(1_000_000)).toEqual([]);
    workers.seen(call(), 1_000_000);
    expect(workers.takeGone(2_000_000)).toEqual([]);
    workers.callClosed(worker, 2_000_000);
    expect(workers.takeGone(2_000_000 + liveWorkerMs - 1)).toEqual([]);
    expect(workers.takeGone(2_000_000 + liveWorkerMs)).toEqual([worker]);
  });

  it("knows who has polled a queue, as long as they live", () => {
    const workers = new Workers();
    const worker = workers.seen(call(), 0);
    workers.callOpened(worker, [queue]);
    expect(workers.ofQueue(queue)).toEqual([worker]);
    expect(workers.ofQueue({ ...queue, kind: "workflow" })).toEqual([]);
    workers.callClosed(worker, 0);
    workers.takeGone(liveWorkerMs);
    expect(workers.ofQueue(queue)).toEqual([]);
  });

  it("the same id in two namespaces names two workers", () => {
    const workers = new Workers();
    workers.seen(call(), 0);
    workers.seen(call({ namespace: "other" }), 0);
    expect([...workers.all()]).toHaveLength(2);
    expect(workers.get("other", "w1")?.namespace).toBe("other");
  });

  it("keeps what an earlier call said where a later one is silent", () => {
    const workers = new Workers();
    const status = { activitySlots: 1, activitySlotsUsed: 0, workflowSlots: 0, workflowSlotsUsed: 0 };
    workers.seen(call({ identity: "me", buildId: "b1", status }), 0);
    expect(workers.seen(call(), 5)).toMatchObject({ identity: "me", buildId: "b1", status, firstSeen: 0, lastSeen: 5 });
  });

  it("a worker that registered nothing takes everything", () => {
    const workers = new Workers();
    expect(workers.registrationsOf(workers.seen(call(), 0))).toBe(everything);
  });

  it("registrations are sent in full once, and go by their hash then", () => {
    const workers = new Workers();
    const worker = workers.seen(call({ registrationsHash: "h", registrations }), 0);
    expect(workers.registrationsOf(worker)).toBe(registrations);
    expect(workers.registrationsOf(workers.seen(call({ registrationsHash: "h" }), 0))).toBe(registrations);
  });

  it("the server asks where it knows only the hash", () => {
    const workers = new Workers();
    expect(workers.registrationsOf(workers.seen(call({ registrationsHash: "h" }), 0))).toBeUndefined();
    const known = workers.seen(call({ registrationsHash: "h", registrations }), 0);
    expect(workers.registrationsOf(known)).toBe(registrations);
    expect(workers.registrationsOf(workers.seen(call({ registrationsHash: "h2" }), 0))).toBeUndefined();
  });
});
