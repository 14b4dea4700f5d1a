import { expect, test } from "vitest";
import { Client } from "@tq/client";
import { Code, FakeServer, refusal } from "../test/fake-server.ts";
import { ManualClock, settle } from "../test/manual-clock.ts";
import { gate, rig } from "../test/rig.ts";
import { Context } from "./context.ts";
import { Worker } from "./worker.ts";
import type { WorkerOptions } from "./worker-options.ts";

test("a worker without anything to do stops at once, and says so by its states", async () => {
  const { clock, server, worker, run } = await rig({ activities: { work: () => 1 } });
  const states: string[] = [];
  worker.onStateChange((state, before) => void states.push(`${before} > ${state}`));
  worker.onStateChange(() => void states.push("never"))();
  expect(worker.getState()).toBe("RUNNING");
  worker.shutdown();
  expect(worker.getState()).toBe("STOPPING");
  await run;
  expect(worker.getState()).toBe("STOPPED");
  expect(states).toEqual(["RUNNING > STOPPING", "STOPPING > STOPPED"]);
  expect(server.shutdowns).toEqual([worker.config.workerId]);
  expect(clock.pending).toBe(0);
  await expect(worker.run()).rejects.toMatchObject({ code: "failed_precondition" });
});

test("what a listener throws is logged, and the worker stops all the same", async () => {
  const { lines, worker, run } = await rig({ activities: { work: () => 1 } });
  const states: string[] = [];
  worker.onStateChange(() => {
    throw new Error("the dashboard is gone");
  });
  worker.onStateChange((state) => void states.push(state));
  worker.shutdown();
  await run;
  expect(states).toEqual(["STOPPING", "STOPPED"]);
  expect(lines.filter(({ level, message }) => level === "error" && message.includes("listener"))).toHaveLength(2);
});

test("a worker says how it does", async () => {
  const end = gate();
  const { clock, server, worker } = await rig({
    activities: { work: () => end.promise },
    maxConcurrentActivityTaskExecutions: 10,
  });
  server.add("a", "work");
  await settle();
  const busy = { state: "RUNNING", heldTasks: 1, runningHandlers: 1, answersUnderWay: 0, activitySlotsUsed: 1 };
  expect(worker.getStatus()).toMatchObject({ ...busy, isServerAway: false, activitySlots: 10, workflowSlots: 0 });
  server.failNext("PollTasks", refusal(Code.Unavailable, "SHUTTING_DOWN"));
  end.resolve();
  await settle();
  expect(worker.getStatus()).toMatchObject({
    heldTasks: 1,
    runningHandlers: 0,
    answersUnderWay: 1,
    isServerAway: true,
  });
  await clock.advance(1_000);
  expect(worker.getStatus()).toMatchObject({ heldTasks: 0, answersUnderWay: 0, isServerAway: false });
});

test("shutdown lets handlers finish within the grace time, and takes nothing new", async () => {
  const end = gate();
  const { clock, server, worker, run } = await rig({
    activities: { work: async () => (await end.promise, 1) },
    shutdownGraceTime: "10s",
  });
  server.add("a", "work");
  await settle();
  worker.shutdown();
  await clock.advance(9_000);
  server.add("b", "work");
  expect(server.renews.at(-1)?.tokens.length).toBe(1);
  end.resolve();
  await clock.advance(0);
  await run;
  expect(server.answered("completed")).toBe("a");
  expect([...server.answers.keys()]).toEqual(["a"]);
});

test("tasks that come while the worker stops are given back", async () => {
  const begun: string[] = [];
  const { clock, server, worker, run } = await rig({ activities: { work: (id: string) => begun.push(id) } });
  server.failNext("ShutdownWorker", refusal(Code.Unavailable, "SHUTTING_DOWN"));
  const letGo = server.hold("ShutdownWorker");
  worker.shutdown();
  await settle();
  server.add("a", "work", { args: ["a"] });
  await settle();
  letGo();
  await clock.advance(5_000);
  await run;
  expect(begun).toEqual([]);
  expect(server.answered("released")).toBe("a");
});

test("after the grace time signals are aborted; what gives way is given back, what completes is answered", async () => {
  const reasons: unknown[] = [];
  const { clock, server, worker, run } = await rig({
    activities: {
      async givesWay() {
        await Context.current().sleep("1 hour");
      },
      async finishesUp() {
        const { cancellationSignal } = Context.current();
        await new Promise((resolve) => cancellationSignal.addEventListener("abort", resolve));
        reasons.push((cancellationSignal.reason as { reason: string }).reason);
        return "partial";
      },
      async fails() {
        await Context.current()
          .sleep("1 hour")
          .catch(() => {
            throw new Error("no end in sight");
          });
      },
    },
    shutdownGraceTime: "3s",
  });
  for (const id of ["givesWay", "finishesUp", "fails"]) server.add(id, id);
  await settle();
  worker.shutdown();
  await clock.advance(2_900);
  expect([...server.answers.keys()]).toEqual([]);
  await clock.advance(100);
  await run;
  expect(reasons).toEqual(["WORKER_SHUTDOWN"]);
  expect(server.answered("released")).toBe("givesWay");
  expect(server.answered("completed")).toBe("finishesUp");
  expect(server.answered("failed")).toBe("fails");
});

test("a handler that ignores its signal is given up, its task given back, and what it returns later ignored", async () => {
  const end = gate();
  const { clock, server, worker, run, lines } = await rig({
    activities: { stubborn: async () => (await end.promise, 1) },
    shutdownGraceTime: "1s",
    shutdownForceTime: "4s",
  });
  server.add("a", "stubborn");
  await settle();
  worker.shutdown();
  await clock.advance(4_000);
  await run;
  expect(server.answered("released")).toBe("a");
  end.resolve();
  await settle();
  expect(server.answered("completed")).toBe("");
  expect(lines.filter(({ level }) => level === "warn").map(({ running }) => running)).toEqual([1, 1]);
});

test("a force time that is shorter than the grace time ends it", async () => {
  const end = gate();
  const { clock, server, worker, run } = await rig({
    activities: { stubborn: async () => (await end.promise, 1) },
    shutdownForceTime: "4s",
  });
  server.add("a", "stubborn");
  await settle();
  worker.shutdown();
  await clock.advance(3_999);
  expect(server.answered("released")).toBe("");
  await clock.advance(1);
  expect(server.answered("released")).toBe("a");
  await run;
  end.resolve();
});

test("a worker stops also while the server is away, and says that answers were lost", async () => {
  const { clock, server, worker, run, lines } = await rig({ activities: { work: () => 1 } });
  const down = refusal(Code.Unavailable, "SHUTTING_DOWN");
  for (const call of ["RespondTasks", "RenewLeases", "ShutdownWorker"] as const) server.failNext(call, down, 1_000);
  server.add("a", "work");
  await settle();
  server.failNext("PollTasks", down, 1_000);
  worker.shutdown();
  await clock.advance(20_000);
  await run;
  expect(worker.getState()).toBe("STOPPED");
  expect(lines.at(-2)?.message).toContain("did not reach the server");
});

test("a worker that is created while the server is away takes tasks once it is there", async () => {
  const clock = new ManualClock();
  const server = new FakeServer(clock);
  server.failNext("PollTasks", refusal(Code.Unavailable, "SHUTTING_DOWN"), 5);
  const worker = await Worker.create({
    taskQueue: "q",
    activities: { work: () => 1 },
    transport: server.transport,
    clock,
    logger: silent,
  });
  const run = worker.run();
  server.add("a", "work");
  await clock.advance(10_000);
  expect(server.answered("completed")).toBe("a");
  worker.shutdown();
  await clock.advance(1_000);
  await run;
});

const silent = { debug() {}, info() {}, warn() {}, error() {} };

async function idle() {
  const clock = new ManualClock();
  const server = new FakeServer(clock);
  const worker = await Worker.create({
    taskQueue: "q",
    activities: { work: () => 1 },
    transport: server.transport,
    clock,
    logger: silent,
  });
  return { worker, server };
}

test("runUntil runs as long as a promise is pending, and answers what it does", async () => {
  const first = await idle();
  const end = gate<string>();
  const result = first.worker.runUntil(end.promise);
  await settle();
  expect(first.worker.getState()).toBe("RUNNING");
  end.resolve("done");
  await expect(result).resolves.toBe("done");
  expect(first.worker.getState()).toBe("STOPPED");

  const second = await idle();
  const failing = second.worker.runUntil(async () => {
    throw new Error("test failed");
  });
  await expect(failing).rejects.toThrow("test failed");
  expect(second.worker.getState()).toBe("STOPPED");

  const third = await idle();
  third.server.failNext("PollTasks", refusal(Code.NotFound, "NAMESPACE_NOT_FOUND"));
  await expect(third.worker.runUntil(new Promise(() => {}))).rejects.toMatchObject({ reason: "NAMESPACE_NOT_FOUND" });
});

test("a worker that was shut down before it ran stops as soon as it runs", async () => {
  const { worker, server } = await idle();
  worker.shutdown();
  await worker.run();
  expect(worker.getState()).toBe("STOPPED");
  expect(server.leased.size).toBe(0);
});

const work = { work: () => 1 };

test.each<[string, Partial<WorkerOptions>, string]>([
  ["no queue", { taskQueue: "", activities: work }, "taskQueue"],
  ["no handlers", { activities: { version: 1 } }, "activities"],
  ["no slots", { activities: work, maxConcurrentActivityTaskExecutions: 0 }, "maxConcurrentActivityTaskExecutions"],
  [
    "half a slot",
    { activities: work, maxConcurrentWorkflowTaskExecutions: 1.5 },
    "maxConcurrentWorkflowTaskExecutions",
  ],
  ["too short a lease", { activities: work, lease: "10ms" }, "lease"],
  ["a malformed time", { activities: work, shutdownGraceTime: "soon" as never }, "shutdownGraceTime"],
  ["an address beside a client", { activities: work, client: Client.create(), address: "tq" }, "address"],
])("%s is refused, naming the option", async (_what, options, field) => {
  await expect(Worker.create({ taskQueue: "q", ...options })).rejects.toMatchObject({
    code: "invalid_argument",
    fields: [{ field }],
  });
});
