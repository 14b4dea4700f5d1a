// Over the built package: threads load its modules as files.

import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { decodePayload } from "@tq/client";
import { type LogFields, threadActivity, type ThreadActivityOptions, Worker } from "@tq/worker-sdk";
import { afterEach, expect, test } from "vitest";
import { FakeServer } from "./fake-server.ts";
import { ManualClock, settle } from "./manual-clock.ts";
import type * as handlers from "./thread-handlers.ts";

const module = new URL("./thread-handlers.ts", import.meta.url);
const stops: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

/** A worker on a server in memory whose clock stands still; its threads are real. */
async function rig(options: ThreadActivityOptions = {}) {
  const clock = new ManualClock();
  const server = new FakeServer(clock);
  const lines: (LogFields & { message: string })[] = [];
  const log = (fields: LogFields, message: string) => void lines.push({ ...fields, message });
  const inThread = <N extends keyof typeof handlers>(name: N) =>
    threadActivity<(typeof handlers)[N]>(module, { export: name, ...options });
  const worker = await Worker.create({
    taskQueue: "q",
    transport: server.transport,
    clock,
    logger: { debug() {}, info: log, warn: log, error: log },
    shutdownGraceTime: 0,
    activities: {
      tellAll: inThread("tellAll"),
      fail: inThread("fail"),
      spin: inThread("spin"),
      exit: inThread("exit"),
      crash: inThread("crash"),
      waitForSignal: inThread("waitForSignal"),
      notCopyable: inThread("notCopyable"),
      completeLater: inThread("completeLater"),
      giveToFallback: inThread("giveToFallback"),
      askFor: inThread("askFor"),
      missing: threadActivity(module, { export: "missing" }),
      here: () => "here",
    },
  });
  const run = worker.run();
  stops.push(async () => {
    worker.shutdown();
    await clock.advance(10_000);
    await run;
  });
  await settle();
  const answered = async (...ids: string[]) => until(() => ids.every((id) => server.answers.has(id)));
  const failureOf = (id: string) => {
    const { answer } = server.answers.get(id)!;
    return answer.case === "failed" ? answer.value.failure : undefined;
  };
  return { clock, server, lines, worker, answered, failureOf };
}

/** Resolves once something is so, which threads see to in their own time. */
async function until(isTrue: () => boolean): Promise<void> {
  const givesUpAt = performance.now() + 12_000;
  while (!isTrue()) {
    if (performance.now() > givesUpAt) throw new Error("it did not come to that");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test("a handler in a thread has info, heartbeat, sleep and log, and its result is the task's", async () => {
  const { clock, server, lines, answered } = await rig();
  server.add("a", "tellAll", { args: ["Ada"], attempt: 3 });
  await answered("a");
  const { answer } = server.answers.get("a")!;
  const result = answer.case === "completed" ? answer.value.result : undefined;
  expect(decodePayload(result)).toMatchObject({
    name: "Ada",
    taskId: "a",
    attempt: 3,
    taskToken: 3,
    isAborted: false,
  });
  expect(lines).toContainEqual(expect.objectContaining({ message: "from a thread", name: "Ada", taskId: "a" }));

  server.add("b", "waitForSignal");
  server.add("c", "tellAll", { args: ["Bob"] });
  await answered("c");
  await clock.advance(1_000);
  expect(server.answers.has("b")).toBe(false);
});

test("what it throws is the attempt's failure, with type, details, cause and stack", async () => {
  const { server, answered, failureOf } = await rig();
  for (const id of ["fail", "notCopyable", "missing"]) server.add(id, id);
  await answered("fail", "notCopyable", "missing");
  const failure = failureOf("fail");
  expect(failure).toMatchObject({ type: "NoPicture", message: "no such picture", nonRetryable: true });
  expect(failure?.details.map((detail) => decodePayload(detail))).toEqual([{ path: "a.png" }]);
  expect(failure?.cause).toMatchObject({ type: "TypeError", message: "inner" });
  expect(failure?.stackTrace).toContain("thread-handlers");
  expect(failureOf("notCopyable")).toMatchObject({ type: "UnserializableResult", nonRetryable: true });
  expect(failureOf("missing")).toMatchObject({ type: "NoSuchHandler", nonRetryable: true });
});

test("a thread that crashes or calls process.exit fails that attempt only, and is replaced", async () => {
  const { server, answered, failureOf } = await rig({ maxThreads: 1 });
  for (const id of ["exit", "crash"]) server.add(id, id);
  server.add("after", "tellAll", { args: ["after"] });
  await answered("exit", "crash", "after");
  expect(failureOf("exit")).toMatchObject({ type: "ThreadEnded", message: expect.stringContaining("7") as unknown });
  expect(failureOf("crash")).toMatchObject({
    type: "ThreadCrashed",
    message: expect.stringContaining("out of nowhere") as unknown,
    nonRetryable: false,
  });
  expect(server.answers.get("after")?.answer.case).toBe("completed");
});

test("a busy loop in a thread holds up no other handler, and its lease is renewed", async () => {
  const { clock, server, answered } = await rig();
  server.add("busy", "spin", { args: [1_500] });
  server.add("quick", "here");
  await answered("quick");
  await clock.advance(10_000);
  expect(server.renews.at(-1)?.tokens.length).toBe(1);
  expect(server.answers.has("busy")).toBe(false);
  await answered("busy");
});

test("a cancel request reaches a handler in a thread, and it gives way", async () => {
  const { clock, server, answered } = await rig();
  server.add("a", "waitForSignal");
  await clock.advance(1_000);
  server.cancel("a");
  await clock.advance(1_000);
  await answered("a");
  expect(server.answered("canceled")).toBe("a");
});

test.each(["spin", "waitForSignal"])(
  "a thread whose attempt has timed out is terminated, whatever it does: %s",
  async (type) => {
    const { clock, server, worker, answered } = await rig({ terminateAfter: 10, maxThreads: 1 });
    server.add("a", type, { args: [3_600_000], startToCloseTimeout: durationFromMs(3_600_000) });
    await clock.advance(3_600_000);
    server.lose("a");
    await clock.advance(1_000);
    await until(() => worker.getStatus().runningHandlers === 0);
    // There is but one thread.
    server.add("b", "spin", { args: [1] });
    await answered("b");
    // One that gives way to its signal may do so before the server has taken the lease away.
    if (type !== "waitForSignal") expect([...server.answers.keys()]).toEqual(["b"]);
  },
);

test("where the server cannot say so, the start-to-close timeout terminates the thread too", async () => {
  const { clock, server, answered, failureOf } = await rig({ terminateAfter: 10 });
  server.add("a", "spin", { args: [3_600_000], startToCloseTimeout: durationFromMs(50) });
  await clock.advance(50);
  await answered("a");
  expect(failureOf("a")).toMatchObject({ type: "StartToClose" });
});

test("a handler in a thread may leave its outcome to somebody else, or its task to its fallback", async () => {
  const { server, worker, answered } = await rig();
  server.add("later", "completeLater");
  server.add("elsewhere", "giveToFallback");
  await answered("elsewhere");
  expect(server.answers.get("elsewhere")?.answer).toMatchObject({
    case: "released",
    value: { reason: "not on this machine", toFallback: true },
  });
  await until(() => worker.getStatus().runningHandlers === 0);
  expect(server.answers.has("later")).toBe(false);
  expect(worker.getStatus().heldTasks).toBe(1);
});

test.each(["client", "cache"])("a thread has no %s, and says so", async (part) => {
  const { server, answered, failureOf } = await rig();
  server.add("a", "askFor", { args: [part] });
  await answered("a");
  expect(failureOf("a")?.message).toContain(`no ${part} in a thread`);
});

test("handlers beyond the threads wait for one, and give way while they wait", async () => {
  const { clock, server, answered } = await rig({ maxThreads: 1 });
  server.add("first", "waitForSignal");
  server.add("second", "waitForSignal");
  await clock.advance(1_000);
  server.cancel("second");
  await clock.advance(1_000);
  await answered("second");
  server.cancel("first");
  await clock.advance(1_000);
  await answered("first");
  expect(server.answered("canceled")).toBe("second first");
});

test.each<[string, () => unknown, string]>([
  ["a path that is no URL", () => threadActivity("./resize.js"), "module"],
  ["an option that there is not", () => threadActivity(module, { maxThread: 2 } as never), "maxThread"],
  ["no threads", () => threadActivity(module, { maxThreads: 0 }), "maxThreads"],
  ["a malformed time", () => threadActivity(module, { terminateAfter: "soon" as never }), "terminateAfter"],
])("%s is refused, naming the option", (_what, make, field) => {
  expect(make).toThrow(
    expect.objectContaining({ code: "invalid_argument", fields: [expect.objectContaining({ field })] }),
  );
});
