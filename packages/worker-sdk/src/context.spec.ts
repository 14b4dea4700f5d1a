import { encodePayload } from "@tq/client";
import { expect, test } from "vitest";
import { settle } from "../test/manual-clock.ts";
import { gate, rig } from "../test/rig.ts";
import { CompleteAsyncError } from "./complete-async-error.ts";
import { Context, type TaskInfo } from "./context.ts";
import { ApplicationFailure, CancelledFailure } from "./failure.ts";
import { ReleaseToFallback } from "./release-to-fallback.ts";

test("a handler that waits for `cancelled` gives way as soon as it should stop, and knows why", async () => {
  const seen: unknown[] = [];
  const { clock, server } = await rig({
    activities: {
      async work() {
        const context = Context.current();
        seen.push(context.cancellationReason);
        try {
          return await Promise.race([gate().promise, context.cancelled]);
        } catch (error) {
          seen.push(error instanceof CancelledFailure, context.cancellationReason);
          throw error;
        }
      },
    },
  });
  server.add("a", "work");
  await clock.advance(500);
  server.cancel("a", "enough");
  await clock.advance(500);
  expect(seen).toEqual([undefined, true, "CANCEL_REQUESTED"]);
  expect(server.answered("canceled")).toBe("a");
});

test("`cancelled` that nobody waits for any more is no unhandled rejection", async () => {
  const { clock, server } = await rig({
    activities: {
      async work() {
        void Context.current().cancelled;
        await Context.current().sleep("1 hour");
      },
    },
  });
  server.add("a", "work");
  await clock.advance(500);
  server.cancel("a");
  await clock.advance(500);
  expect(server.answered("canceled")).toBe("a");
});

test("info is made when it is asked for: what cannot be decoded fails those alone that ask, for good", async () => {
  const { server } = await rig({
    activities: { asks: () => Context.current().info.attempt, works: () => "done" },
  });
  const heartbeatDetails = { body: { case: "text" as const, value: "{" } };
  server.add("a", "asks", { heartbeatDetails });
  server.add("b", "works", { heartbeatDetails });
  await settle();
  expect(server.answers.get("a")?.answer).toMatchObject({
    case: "failed",
    value: { failure: { type: "UndecodableInput", nonRetryable: true } },
  });
  expect(server.answered("completed")).toBe("b");
});

test("the context has the worker's client, a meter, and the worker's ids", async () => {
  let info: TaskInfo | undefined;
  const seen: unknown[] = [];
  const { server, worker } = await rig({
    activities: {
      work() {
        const context = Context.current();
        info = context.info;
        seen.push(context.client === worker.config.client);
        context.metricMeter.createCounter("orders").add(1);
      },
    },
    processQueue: true,
  });
  server.add("a", "work");
  await settle();
  expect(server.answered("completed")).toBe("a");
  expect(seen).toEqual([true]);
  const { workerId, processTaskQueue } = worker.config;
  expect(info).toMatchObject({ workerId, processTaskQueue });
});

test("a handler that leaves the outcome to somebody else frees its slot, and the lease is kept until the server says that it is over", async () => {
  let isLeft = true;
  const { clock, server, worker } = await rig({
    activities: {
      async work() {
        if (isLeft) Context.current().completeAsync();
        return "done";
      },
    },
    maxConcurrentActivityTaskExecutions: 1,
  });
  server.add("a", "work");
  await settle();
  expect(server.answers.size).toBe(0);
  expect(worker.getStatus()).toMatchObject({ heldTasks: 1, runningHandlers: 0, activitySlotsUsed: 0 });
  isLeft = false;
  server.add("b", "work");
  await settle();
  expect(server.answered("completed")).toBe("b");
  await clock.advance(60_000);
  expect(server.renews.at(-1)?.tokens.length).toBe(1);
  // Somebody else has answered it.
  server.lose("a");
  await clock.advance(10_000);
  expect(server.renews.at(-1)?.tokens).toEqual([]);
  expect(worker.getStatus().heldTasks).toBe(0);
});

test("what is left to somebody else does not hold up a shutdown, and is not given back", async () => {
  const { clock, server, worker, run } = await rig({
    activities: {
      work() {
        throw new CompleteAsyncError();
      },
    },
  });
  server.add("a", "work");
  await settle();
  worker.shutdown();
  await clock.advance(100);
  await run;
  expect(worker.getState()).toBe("STOPPED");
  expect(server.answers.size).toBe(0);
});

test("a workflow handler cannot leave its outcome to somebody else", async () => {
  const { server } = await rig({
    workflows: {
      advance() {
        throw new CompleteAsyncError();
      },
    },
  });
  server.add("w", "advance", { taskQueue: { name: "q", kind: 2 } });
  await settle();
  expect(server.answers.get("w")?.answer).toMatchObject({
    case: "failed",
    value: { failure: { type: "CompleteAsyncError" } },
  });
});

test("a handler that lacks what it needs gives its task to the fallback queue", async () => {
  const { server } = await rig({
    activities: {
      work() {
        throw new ReleaseToFallback("the file is not here");
      },
    },
  });
  server.add("a", "work");
  await settle();
  expect(server.answers.get("a")?.answer).toMatchObject({
    case: "released",
    value: { reason: "the file is not here", toFallback: true },
  });
});

test("a worker with a queue of its own polls it as well, with the same slots", async () => {
  const { server, worker } = await rig({
    activities: { work: () => 1 },
    workflows: { advance: () => {} },
    processQueue: true,
    maxConcurrentActivityTaskExecutions: 7,
    maxConcurrentWorkflowTaskExecutions: 3,
  });
  const own = `q/${worker.config.workerId}`;
  expect(worker.config.processTaskQueue).toBe(own);
  expect(server.polls.map(({ taskQueues, maxTasks }) => [taskQueues.map(({ name }) => name), maxTasks])).toEqual([
    [["q", own], 7],
    [["q", own], 3],
  ]);
});

test("a failure made of an error keeps its stack, and is what it was where nothing replaces that", async () => {
  const error = new TypeError("no such price");
  const failure = ApplicationFailure.fromError(error, { nonRetryable: true });
  expect(failure).toMatchObject({ message: "no such price", type: "TypeError", nonRetryable: true, cause: error });
  expect(failure.stack).toBe(error.stack);
  const again = ApplicationFailure.fromError(
    ApplicationFailure.create({ message: "m", type: "T", details: [1], nextRetryDelay: "3s" }),
    { type: "U" },
  );
  expect(again).toMatchObject({ message: "m", type: "U", details: [1], nextRetryDelayMs: 3_000, nonRetryable: false });
  expect(ApplicationFailure.fromError("just text")).toMatchObject({ message: "just text", type: "Error" });
  const hostile = new Proxy(
    {},
    {
      getPrototypeOf() {
        throw new Error("no peeking");
      },
    },
  );
  const { server } = await rig({
    activities: {
      work() {
        // What is thrown is the point.
        // oxlint-disable-next-line typescript/only-throw-error
        throw hostile;
      },
    },
  });
  expect(ApplicationFailure.fromError(hostile).message).toContain("cannot be described");
  server.add("a", "work", { heartbeatDetails: encodePayload(1) });
  await settle();
  expect(server.answers.get("a")?.answer).toMatchObject({
    case: "failed",
    value: { failure: { message: expect.stringContaining("cannot be described") as unknown } },
  });
});
