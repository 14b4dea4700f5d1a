import { getEventListeners } from "node:events";
import { expect, test } from "vitest";
import { ManualClock, settle } from "../test/manual-clock.ts";
import { gate, rig } from "../test/rig.ts";
import { ResourceSlots } from "./resource-slots.ts";
import { type ResourceUsage, systemResources } from "./resources.ts";
import type { SlotPermit } from "./slot-supplier.ts";

function slots(more: { minimumSlots?: number; maximumSlots?: number; rampThrottleMs?: number } = {}) {
  const clock = new ManualClock();
  let usage: ResourceUsage = { memory: 0.1, cpu: 0.1 };
  const supplier = new ResourceSlots({
    targetMemoryUsage: 0.8,
    targetCpuUsage: 0.9,
    resources: { read: () => usage },
    minimumSlots: 2,
    maximumSlots: 5,
    rampThrottleMs: 0,
    clock,
    ...more,
  });
  const permits: SlotPermit[] = [];
  const take = () => {
    const permit = supplier.tryReserveSlot();
    if (permit !== null) permits.push(permit);
    return permit !== null;
  };
  const giveBack = () => supplier.releaseSlot({ permit: permits.pop()! });
  return { clock, supplier, take, giveBack, reads: (next: ResourceUsage) => (usage = next) };
}

test("there are as many slots as the maximum while the readings are under their targets", () => {
  const { supplier, take } = slots();
  expect(supplier.capacity).toBe(5);
  expect([1, 2, 3, 4, 5, 6].map(take)).toEqual([true, true, true, true, true, false]);
});

test.each<[string, ResourceUsage]>([
  ["memory", { memory: 0.8, cpu: 0 }],
  ["processors", { memory: 0, cpu: 0.9 }],
])("at the target of %s there is the minimum and no more, and what ends is not replaced", (_what, usage) => {
  const { supplier, take, giveBack, reads } = slots();
  for (let n = 0; n < 4; n++) take();
  reads(usage);
  expect(supplier.capacity).toBe(4);
  expect(take()).toBe(false);
  giveBack();
  expect(take()).toBe(false);
  giveBack();
  giveBack();
  expect([take(), take()]).toEqual([true, false]);
});

test("beyond the minimum the number rises one throttle interval at a time; a slot that was in use comes back at once", async () => {
  const { clock, take, giveBack } = slots({ rampThrottleMs: 50 });
  expect([take(), take(), take(), take()]).toEqual([true, true, true, false]);
  await clock.advance(49);
  expect(take()).toBe(false);
  await clock.advance(1);
  expect(take()).toBe(true);
  giveBack();
  giveBack();
  expect([take(), take(), take()]).toEqual([true, true, false]);
});

test("who waits for a slot gets it once the readings allow, or one is given back, and leaves no timer behind", async () => {
  const { clock, supplier, take, giveBack, reads } = slots({ maximumSlots: 3 });
  for (let n = 0; n < 2; n++) take();
  reads({ memory: 0.9, cpu: 0 });
  const ending = new AbortController();
  const reserved: number[] = [];
  const wait = (n: number) => supplier.reserveSlot(undefined, ending.signal).then(() => reserved.push(n));
  const first = wait(1);
  await clock.advance(1_000);
  expect(reserved).toEqual([]);
  reads({ memory: 0.1, cpu: 0 });
  await clock.advance(100);
  await first;
  const second = wait(2);
  await settle();
  expect([reserved, clock.pending]).toEqual([[1], 0]);
  giveBack();
  await second;
  const third = wait(3);
  ending.abort(new Error("no more"));
  await expect(third).rejects.toThrow("no more");
  expect(clock.pending).toBe(0);
});

test("waiting again and again with one signal leaves nothing on it", async () => {
  const { supplier, take } = slots({ minimumSlots: 1, maximumSlots: 1 });
  take();
  const ending = new AbortController();
  const first = supplier.reserveSlot(undefined, ending.signal);
  supplier.releaseSlot({ permit: {} });
  for (let n = 0; n < 20; n++) {
    supplier.releaseSlot({ permit: {} });
    await settle();
  }
  expect(getEventListeners(ending.signal, "abort").length).toBeLessThanOrEqual(1);
  ending.abort(new Error("no more"));
  await expect(first).rejects.toThrow("no more");
});

test("a worker asks for no more tasks than its readings allow, and for more once they do", async () => {
  const end = gate();
  let usage: ResourceUsage = { memory: 0.9, cpu: 0 };
  const { clock, server } = await rig({
    activities: { work: () => end.promise },
    tuner: {
      activityTaskSlotSupplier: {
        type: "resource-based",
        tunerOptions: { targetMemoryUsage: 0.8, targetCpuUsage: 0.9, resources: { read: () => usage } },
        minimumSlots: 2,
        maximumSlots: 4,
      },
    },
  });
  for (let n = 0; n < 6; n++) server.add(`t${n}`, "work");
  await clock.advance(5_000);
  expect(server.polls.map(({ maxTasks }) => maxTasks)).toEqual([2]);
  expect(server.leased.size).toBe(2);
  usage = { memory: 0.5, cpu: 0.2 };
  await clock.advance(5_000);
  expect(server.leased.size).toBe(4);
  end.resolve();
  await clock.advance(1_000);
  expect(server.answers.size).toBe(6);
});

test("slots that wait for tasks do not ramp up, so that a burst does not come upon readings that show nothing of it", async () => {
  const end = gate();
  const { clock, server } = await rig({
    activities: { work: () => end.promise },
    tuner: {
      activityTaskSlotSupplier: {
        type: "resource-based",
        tunerOptions: {
          targetMemoryUsage: 0.8,
          targetCpuUsage: 0.9,
          resources: { read: () => ({ memory: 0.5, cpu: 0.2 }) },
        },
        rampThrottle: 50,
      },
    },
  });
  await clock.advance(10_000);
  // Two at the start, and one after the throttle's time for the other poll.
  expect(server.polls.map(({ maxTasks }) => maxTasks)).toEqual([2, 1]);
  for (let n = 0; n < 25; n++) server.add(`t${n}`, "work");
  await settle();
  // Those of the polls, one that waited for the next poll, and the one by which they may be more by now.
  expect(server.leased.size).toBe(5);
  await clock.advance(500);
  expect(server.leased.size).toBe(15);
  await clock.advance(500);
  expect(server.leased.size).toBe(25);
  end.resolve();
  await clock.advance(1_000);
});

test("Node's own readings are shares of what there is", async () => {
  const clock = new ManualClock();
  const resources = systemResources(clock);
  await clock.advance(200);
  for (let n = 0; n < 2; n++) {
    const { memory, cpu } = resources.read();
    expect(memory).toBeGreaterThan(0);
    expect(memory).toBeLessThan(1);
    expect(cpu).toBeGreaterThanOrEqual(0);
    expect(cpu).toBeLessThanOrEqual(1);
  }
});
