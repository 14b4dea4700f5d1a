import { describe, expect, it } from "vitest";
import { liveWorkerMs } from "./served-queues.ts";
import { taskQueueKey } from "./task-queue.ts";
import { drainedWorkerKeptMs, everything, Workers, type WorkerCall } from "./workers.ts";

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
    workers.callClosed(worker, [queue], 1_000);
    expect(workers.takeGone(1_000_000)).toEqual([]);
    workers.seen(call(), 1_000_000);
    expect(workers.takeGone(2_000_000)).toEqual([]);
    workers.callClosed(worker, [queue], 2_000_000);
    expect(workers.takeGone(2_000_000 + liveWorkerMs - 1)).toEqual([]);
    expect(workers.takeGone(2_000_000 + liveWorkerMs)).toEqual([worker]);
  });

  it("knows who has polled a queue, as long as they live", () => {
    const workers = new Workers();
    const worker = workers.seen(call(), 0);
    workers.callOpened(worker, [queue]);
    expect(workers.ofQueue(queue)).toEqual([worker]);
    expect(workers.ofQueue({ ...queue, kind: "workflow" })).toEqual([]);
    workers.callClosed(worker, [queue], 0);
    workers.takeGone(liveWorkerMs);
    expect(workers.ofQueue(queue)).toEqual([]);
  });

  it("forgets a queue that a live worker has not named for 15 s, and no other", () => {
    const workers = new Workers();
    const other = { ...queue, name: "other" };
    const worker = workers.seen(call(), 0);
    workers.callOpened(worker, [queue, other]);
    workers.callOpened(worker, [other]);
    workers.callClosed(worker, [queue, other], 1_000);
    workers.takeGone(1_000 + liveWorkerMs - 1);
    expect(workers.ofQueue(queue)).toEqual([worker]);
    expect(workers.nextWake()).toBeLessThanOrEqual(1_000 + liveWorkerMs + 100);
    expect(workers.takeGone(1_000 + liveWorkerMs)).toEqual([]);
    expect([workers.ofQueue(queue), workers.ofQueue(other)]).toEqual([[], [worker]]);
    expect([...worker.queues.values()].map((served) => served.queue)).toEqual([other]);
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

describe("who serves a queue", () => {
  const key = taskQueueKey(queue);
  const other = { ...queue, name: "r" };

  function observed() {
    const seen: string[] = [];
    const workers = new Workers({
      served: (queueKey) => seen.push(`served ${queueKey === key ? "q" : "r"}`),
      unserved: ({ name }, now) => seen.push(`unserved ${name} at ${now}`),
      askedRateChanged: (queueKey) => seen.push(`rate ${queueKey === key ? "q" : "r"}`),
    });
    const poll = (workerId: string, queues = [queue], rate?: number) => {
      const worker = workers.seen(call({ workerId }), 0);
      workers.callOpened(worker, queues);
      workers.asks(worker, queues, rate);
      workers.callClosed(worker, queues, 0);
      return worker;
    };
    const take = () => seen.splice(0);
    return { workers, poll, take };
  }

  it("is told with the first worker and with the last", () => {
    const { workers, poll, take } = observed();
    poll("a", [queue, other]);
    poll("b");
    poll("a");
    expect([take(), workers.serves(key)]).toEqual([["served q", "served r"], true]);
    workers.takeGone(liveWorkerMs);
    expect(take().sort()).toEqual([`unserved q at ${liveWorkerMs}`, `unserved r at ${liveWorkerMs}`]);
    expect(workers.serves(key)).toBe(false);
  });

  it("counts a worker that says it is going as gone, once", () => {
    const { workers, poll, take } = observed();
    const worker = poll("a");
    take();
    workers.shutDown(worker, 5);
    workers.shutDown(worker, 6);
    workers.drain("default", "a", 7);
    workers.takeGone(liveWorkerMs);
    expect(take()).toEqual(["unserved q at 5"]);
  });

  it("counts a drained worker as gone, also one that is drained before it makes itself known", () => {
    const { workers, poll, take } = observed();
    poll("a");
    take();
    expect(workers.drain("default", "a", 5)).toMatchObject({ workerId: "a", draining: true });
    expect(take()).toEqual(["unserved q at 5"]);
    expect(workers.drain("default", "b", 5)).toBeUndefined();
    expect(poll("b").draining).toBe(true);
    expect([take(), workers.serves(key)]).toEqual([[], false]);
    expect(workers.ofQueue(queue)).toHaveLength(2);
  });

  it("forgets a day later that a worker was drained", () => {
    const workers = new Workers();
    workers.drain("default", "a", 0);
    workers.takeGone(drainedWorkerKeptMs - 1);
    expect(workers.nextWake()).toBeGreaterThanOrEqual(drainedWorkerKeptMs);
    workers.takeGone(drainedWorkerKeptMs);
    expect([workers.nextWake(), workers.seen(call({ workerId: "a" }), 0).draining]).toEqual([undefined, false]);
  });

  it("has the smallest rate that its live workers ask for", () => {
    const { workers, poll, take } = observed();
    poll("a", [queue], 5);
    poll("b", [queue, other], 3);
    take();
    expect([workers.askedRate(key), workers.askedRate(taskQueueKey(other))]).toEqual([3, 3]);
    poll("b", [queue]);
    expect([take(), workers.askedRate(key)]).toEqual([["rate q"], 5]);
    const again = workers.seen(call({ workerId: "b" }), 10);
    workers.callOpened(again, [queue, other]);
    workers.takeGone(liveWorkerMs);
    expect([take(), workers.askedRate(key)]).toEqual([["rate q"], undefined]);
  });
});
