import { AnswerResult, TaskQueueKind } from "@tq/proto";
import { expect, test } from "vitest";
import { settle } from "../test/manual-clock.ts";
import { rig } from "../test/rig.ts";
import { HandlerCache } from "./handler-cache.ts";
import { Worker } from "./worker.ts";
import type { WorkerOptions } from "./worker-options.ts";

const taskQueue = { name: "q", kind: TaskQueueKind.WORKFLOW };

test("the least recently used makes room, by count and by bytes", () => {
  const cache = new HandlerCache({ maxEntries: 3, maxBytes: 100, weigh: (value) => Number(value) });
  for (const key of ["a", "b", "c"]) cache.set(key, 30);
  expect(cache.get("a")).toBe(30);
  cache.set("d", 10);
  expect(["a", "b", "c", "d"].map((key) => cache.get(key))).toEqual([30, undefined, 30, 10]);
  cache.set("a", 60);
  expect(cache.status).toMatchObject({ entries: 3, bytes: 100, evictions: 1 });
  cache.set("d", 11);
  expect(cache.status).toMatchObject({ entries: 2, bytes: 71, evictions: 2 });
  cache.set("e", 101);
  expect(cache.get("e")).toBeUndefined();
  expect(cache.status).toMatchObject({ entries: 2, bytes: 71 });
  cache.set("d", Number.NaN);
  expect(cache.get("d")).toBeUndefined();
  cache.clear();
  expect(cache.status).toMatchObject({ entries: 0, bytes: 0 });
});

/** A worker whose handler counts the events of each serial key, in the cache. */
async function counting(options: Partial<WorkerOptions> = {}) {
  const counts: [string, number][] = [];
  const worker = await rig({
    workflows: {
      advance(task, { cache }) {
        const count = (cache.get<number>() ?? 0) + 1;
        cache.set(count);
        counts.push([task.serialKey, count]);
        if (task.args[0] === "fail") throw new Error("half-way");
        if (task.args[0] === "forget") cache.delete();
      },
    },
    maxConcurrentWorkflowTaskExecutions: 10,
    ...options,
  });
  let ids = 0;
  const event = async (serialKey: string, ...args: string[]) => {
    const id = `w${++ids}`;
    worker.server.add(id, "advance", { taskQueue, serialKey, args });
    await settle();
    return id;
  };
  return { ...worker, counts, event };
}

test("a handler finds what was kept for its serial key, and the worker counts how often", async () => {
  const { counts, event, worker } = await counting();
  for (const key of ["x", "y", "x", "x"]) await event(key);
  expect(counts).toEqual([
    ["x", 1],
    ["y", 1],
    ["x", 2],
    ["x", 3],
  ]);
  expect(worker.getStatus().cache).toEqual({ entries: 2, bytes: 0, hits: 2, misses: 2, evictions: 0 });
});

test("what an attempt kept is dropped with it: if it fails, if its answer is refused, and if its lease is lost", async () => {
  const { counts, event, server } = await counting();
  await event("x");
  await event("x", "fail");
  await event("x");
  expect(counts.splice(0)).toEqual([
    ["x", 1],
    ["x", 2],
    ["x", 1],
  ]);
  server.decide = ({ answer }) =>
    answer.case === "completed"
      ? { result: AnswerResult.REFUSED, error: { reason: "COMMAND_REFUSED", field: "", message: "" } }
      : undefined;
  await event("x");
  server.decide = () => ({ result: AnswerResult.LEASE_LOST });
  await event("x");
  server.decide = () => undefined;
  await event("x");
  await event("x", "forget");
  await event("x");
  expect(counts).toEqual([
    ["x", 2],
    ["x", 1],
    ["x", 1],
    ["x", 2],
    ["x", 1],
  ]);
});

test("a task without a serial key finds nothing, and cannot keep anything", async () => {
  const { event, server, worker } = await counting({ maxCachedWorkflows: 0 });
  const id = await event("");
  expect(server.answers.get(id)?.answer).toMatchObject({
    case: "failed",
    value: { failure: { message: expect.stringContaining("serialKey") as unknown } },
  });
  // Nor does a worker that is to keep nothing.
  await event("x");
  expect(worker.getStatus().cache).toMatchObject({ entries: 0, misses: 2 });
});

test("a worker that has stopped keeps nothing", async () => {
  const { event, worker, clock, run } = await counting();
  await event("x");
  worker.shutdown();
  await clock.advance(1_000);
  await run;
  expect(worker.getStatus().cache.entries).toBe(0);
});

test.each<[string, Partial<WorkerOptions>, string]>([
  ["a negative number", { maxCachedWorkflows: -1 }, "maxCachedWorkflows"],
  ["bytes without a weigher", { maxCachedBytes: 1_000 }, "weighCached"],
  ["interceptors that are no functions", { interceptors: { activity: [{} as never] } }, "interceptors.activity"],
  ["interceptors of no kind", { interceptors: { inbound: [] } as never }, "interceptors.inbound"],
])("%s is refused, naming the option", async (_what, options, field) => {
  const create = Worker.create({ taskQueue: "q", activities: { work: () => 1 }, ...options });
  await expect(create).rejects.toMatchObject({ code: "invalid_argument", fields: [{ field }] });
});
