import { create } from "@bufbuild/protobuf";
import { DispatchedTaskSchema } from "@tq/proto";
import { expect, test } from "vitest";
import { ManualClock, settle } from "../test/manual-clock.ts";
import { gate, rig } from "../test/rig.ts";
import { PacedSlots } from "./paced-slots.ts";
import type { ActivitySlotInfo, CustomSlotSupplier, SlotPermit, SlotReserveContext } from "./slot-supplier.ts";
import { FixedSlots } from "./slots.ts";
import type { WorkerOptions } from "./worker-options.ts";
import { Worker } from "./worker.ts";

/** A supplier that hands out what the test puts in, and writes down what happens to it. */
class Tokens implements CustomSlotSupplier<ActivitySlotInfo> {
  readonly type = "custom";
  readonly log: string[] = [];
  readonly free: string[] = [];
  readonly contexts: SlotReserveContext[] = [];
  #waiting: PromiseWithResolvers<SlotPermit> | undefined;

  put(...names: string[]): void {
    this.free.push(...names);
    if (this.#waiting !== undefined) this.#waiting.resolve({ name: this.free.shift() });
    this.#waiting = undefined;
  }

  tryReserveSlot(context: SlotReserveContext): SlotPermit | null {
    this.contexts.push(context);
    const name = this.free.shift();
    return name === undefined ? null : { name };
  }

  reserveSlot(_context: SlotReserveContext, signal: AbortSignal): Promise<SlotPermit> {
    const waiting = Promise.withResolvers<SlotPermit>();
    this.#waiting = waiting;
    signal.addEventListener("abort", () => waiting.reject(signal.reason as Error));
    return waiting.promise;
  }

  markSlotUsed({ permit, slotInfo }: { permit: SlotPermit; slotInfo: ActivitySlotInfo }): void {
    this.log.push(`${nameOf(permit)} used by ${slotInfo.activityType}`);
  }

  releaseSlot({ permit, slotInfo }: { permit: SlotPermit; slotInfo: ActivitySlotInfo | undefined }): void {
    this.log.push(`${nameOf(permit)} back from ${slotInfo?.activityType ?? "nothing"}`);
    this.free.push(nameOf(permit));
  }
}

function nameOf(permit: SlotPermit): string {
  return (permit as { name: string }).name;
}

test("a custom supplier is asked for each slot, waited for, and told what becomes of it", async () => {
  const supplier = new Tokens();
  const ends = [gate(), gate()];
  let begun = 0;
  const { server, worker, clock, run } = await rig({
    activities: { work: () => ends[begun++]?.promise },
    tuner: { activityTaskSlotSupplier: supplier },
  });
  expect(server.polls).toEqual([]);
  supplier.put("x");
  await settle();
  expect(server.polls.map(({ maxTasks }) => maxTasks)).toEqual([1]);
  expect(supplier.contexts[0]).toEqual({ slotType: "activity", taskQueue: "q", workerIdentity: "me", numIssued: 0 });
  server.add("a", "work");
  server.add("b", "work");
  await settle();
  expect(supplier.log).toEqual(["x used by work"]);
  supplier.put("y");
  await settle();
  expect(supplier.log).toEqual(["x used by work", "y used by work"]);
  expect(worker.getStatus()).toMatchObject({ activitySlots: 2, activitySlotsUsed: 2 });
  ends[0]!.resolve();
  await settle();
  expect(supplier.log.slice(2)).toEqual(["x back from work"]);
  ends[1]!.resolve();
  await settle();
  worker.shutdown();
  await clock.advance(1_000);
  await run;
  expect(supplier.log.filter((line) => line.includes("back from")).length).toBeGreaterThan(2);
  expect(supplier.free.toSorted()).toEqual(["x", "y"]);
});

test("what a supplier gives while the poll of its few slots waits goes with the next poll, and a burst waits for nothing else", async () => {
  const supplier = new Tokens();
  supplier.put("a", "b");
  const end = gate();
  const { clock, server } = await rig({
    activities: { work: () => end.promise },
    tuner: { activityTaskSlotSupplier: supplier },
  });
  supplier.put("c", "d", "e");
  await clock.advance(10_000);
  expect(server.polls.map(({ maxTasks }) => maxTasks)).toEqual([2]);
  for (let n = 0; n < 5; n++) server.add(`t${n}`, "work");
  await settle();
  expect(server.polls.map(({ maxTasks }) => maxTasks)).toEqual([2, 3]);
  expect(server.leased.size).toBe(5);
  end.resolve();
});

test("what it gives while a poll of many slots waits goes with a second poll at once, and beyond that with the next one", async () => {
  const supplier = new Tokens();
  const names = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => `s${from + n}`);
  supplier.put(...names(0, 20));
  const end = gate();
  const { clock, server } = await rig({
    activities: { work: () => end.promise },
    tuner: { activityTaskSlotSupplier: supplier },
  });
  supplier.put(...names(20, 23));
  await clock.advance(10_000);
  expect(server.polls.map(({ maxTasks }) => maxTasks)).toEqual([20, 3]);
  supplier.put(...names(23, 40));
  await clock.advance(10_000);
  expect(server.polls.map(({ maxTasks }) => maxTasks)).toEqual([20, 3]);
  for (let n = 0; n < 40; n++) server.add(`t${n}`, "work");
  await settle();
  expect(server.leased.size).toBe(40);
  end.resolve();
});

test("a supplier that throws is reported, and the worker goes on with what it gives", async () => {
  let isBroken = true;
  const fails = () => {
    if (isBroken) throw new Error("no slots today");
  };
  const { clock, server, lines } = await rig({
    activities: { work: () => 1 },
    tuner: {
      activityTaskSlotSupplier: {
        type: "custom",
        reserveSlot: async () => (fails(), {}),
        tryReserveSlot: () => (fails(), null),
        markSlotUsed: () => {
          throw new Error("no marks");
        },
        releaseSlot: () => {
          throw new Error("no returns");
        },
      },
    },
  });
  server.add("a", "work");
  await clock.advance(3_000);
  expect(server.polls).toEqual([]);
  isBroken = false;
  await clock.advance(1_000);
  expect(server.answered("completed")).toBe("a");
  const errors = lines.filter(({ level }) => level === "error").map(({ error }) => (error as Error).message);
  expect(new Set(errors)).toEqual(new Set(["no slots today", "no marks", "no returns"]));
});

test("a worker begins no more activities per second than it may, evenly, and asks for none that it could not begin", async () => {
  const beganAtMs: number[] = [];
  const { clock, server } = await rig({
    activities: { work: () => void beganAtMs.push(clock.now()) },
    maxActivitiesPerSecond: 20,
  });
  for (let n = 0; n < 50; n++) server.add(`t${n}`, "work");
  await clock.advance(10_000);
  expect(server.answers.size).toBe(50);
  for (const [first, atMs] of beganAtMs.entries()) {
    const within = beganAtMs.slice(first).filter((other) => other - atMs < 1_000).length;
    expect(within).toBeLessThanOrEqual(22);
  }
  expect(beganAtMs.at(-1)! - beganAtMs[0]!).toBeGreaterThanOrEqual(2_300);
  expect(beganAtMs.at(-1)! - beganAtMs[0]!).toBeLessThan(3_000);
  expect(Math.max(...server.polls.map(({ maxTasks }) => maxTasks))).toBe(2);
});

test("nothing wakes up for a slot that no time will free: as many as may begin at once are offered already", async () => {
  const clock = new ManualClock();
  const slots = new PacedSlots(new FixedSlots(100), 20, clock);
  let told = 0;
  slots.onFree(() => told++);
  expect([slots.tryReserve(), slots.tryReserve(), slots.tryReserve()]).toEqual([true, true, false]);
  expect(clock.pending).toBe(0);
  slots.markUsed(create(DispatchedTaskSchema, {}));
  expect([slots.tryReserve(), clock.pending]).toEqual([false, 1]);
  await clock.advance(50);
  expect([told, slots.tryReserve()]).toEqual([1, true]);
});

test("tasks that a poll brought none of do not use up the rate", async () => {
  let begun = 0;
  const { clock, server } = await rig({ activities: { work: () => void begun++ }, maxActivitiesPerSecond: 1 });
  await clock.advance(300_000);
  server.add("a", "work");
  await settle();
  expect(begun).toBe(1);
  server.add("b", "work");
  await clock.advance(900);
  expect(begun).toBe(1);
  await clock.advance(200);
  expect(begun).toBe(2);
});

test("the queue's rate goes with each poll for activities", async () => {
  const { server } = await rig({
    activities: { work: () => 1 },
    workflows: { advance: () => {} },
    maxTaskQueueActivitiesPerSecond: 2.5,
    maxConcurrentActivityTaskExecutions: 10,
    maxConcurrentWorkflowTaskExecutions: 10,
  });
  expect(server.polls.map(({ taskQueueRatePerSecond }) => taskQueueRatePerSecond)).toEqual([2.5, undefined]);
});

const work = { work: () => 1 };
const targets = { targetMemoryUsage: 0.8, targetCpuUsage: 0.9 };

test.each<[string, Partial<WorkerOptions>, string]>([
  ["no rate", { maxActivitiesPerSecond: 0 }, "maxActivitiesPerSecond"],
  ["an endless rate", { maxTaskQueueActivitiesPerSecond: Infinity }, "maxTaskQueueActivitiesPerSecond"],
  [
    "a supplier of no kind",
    { tuner: { activityTaskSlotSupplier: { type: "elastic" as never, numSlots: 1 } } },
    "tuner.activityTaskSlotSupplier.type",
  ],
  [
    "a supplier without a method",
    { tuner: { workflowTaskSlotSupplier: { type: "custom" } as never } },
    "tuner.workflowTaskSlotSupplier.reserveSlot",
  ],
  [
    "a target in percent",
    { tuner: { tunerOptions: { ...targets, targetCpuUsage: 90 } } },
    "tuner.tunerOptions.targetCpuUsage",
  ],
  [
    "a minimum over the maximum",
    { tuner: { tunerOptions: targets, activityTaskSlotOptions: { minimumSlots: 5, maximumSlots: 4 } } },
    "tuner.activityTaskSlotOptions.minimumSlots",
  ],
  ["an option that there is not", { tuner: { slots: 3 } as never }, "tuner.slots"],
  ["a name too long for a process queue", { processQueue: true, taskQueue: "q".repeat(190) }, "taskQueue"],
])("%s is refused, naming the option", async (_what, options, field) => {
  await expect(Worker.create({ taskQueue: "q", activities: work, ...options })).rejects.toMatchObject({
    code: "invalid_argument",
    fields: [{ field }],
  });
});

test("a supplier that gives one permit for every slot, and counts by what it is told, is kept to its number", async () => {
  const permit = {};
  let most = 0;
  let running = 0;
  const end = gate();
  const { server } = await rig({
    activities: {
      async work() {
        most = Math.max(most, ++running);
        await end.promise;
        running--;
      },
    },
    tuner: {
      activityTaskSlotSupplier: {
        type: "custom",
        tryReserveSlot: ({ numIssued }) => (numIssued < 2 ? permit : null),
        reserveSlot: () => new Promise(() => {}),
        markSlotUsed: () => {},
        releaseSlot: () => {},
      },
    },
  });
  for (const id of ["a", "b", "c", "d"]) server.add(id, "work");
  await settle();
  await settle();
  expect([most, running]).toEqual([2, 2]);
  end.resolve();
  await settle();
  expect(server.answers.size).toBe(4);
});

test("a supplier that answers no permit is told of in the log", async () => {
  const errors: unknown[] = [];
  await rig({
    activities: { work: () => 1 },
    logger: { debug() {}, info() {}, warn() {}, error: ({ error }) => void errors.push(error) },
    tuner: {
      activityTaskSlotSupplier: {
        type: "custom",
        tryReserveSlot: () => null,
        reserveSlot: async () => undefined as never,
        markSlotUsed: () => {},
        releaseSlot: () => {},
      },
    },
  });
  await settle();
  expect(errors).toEqual([new TypeError("it answered undefined, which is no permit")]);
});
