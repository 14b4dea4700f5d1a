import { AnswerResult, type Payload, TaskQueueKind } from "@tq/proto";
import { decodePayload, encodePayload } from "@tq/client";
import { create } from "@bufbuild/protobuf";
import { ClosedTaskSchema, TaskState } from "@tq/proto";
import { expect, expectTypeOf, test } from "vitest";
import { Code, type FakeServer, refusal } from "../test/fake-server.ts";
import { type ManualClock, settle } from "../test/manual-clock.ts";
import { gate, rig } from "../test/rig.ts";
import { commands } from "./commands.ts";
import { Context } from "./context.ts";
import { ApplicationFailure } from "./failure.ts";
import type { WorkflowTask } from "./handlers.ts";
import type { WorkerOptions } from "./worker-options.ts";

const workflowQueue = { name: "q", kind: TaskQueueKind.WORKFLOW };

test("an activity gets its arguments and its context, and its result is the answer", async () => {
  const { server } = await rig({
    activities: {
      async greet(name: string, greeting: string | undefined) {
        await settle();
        const { info } = Context.current();
        return { text: `${greeting ?? "Hello"}, ${name}!`, attempt: info.attempt, trace: info.headers["trace"] };
      },
      nothing() {},
      bytes: () => Buffer.from("raw"),
    },
  });
  server.add("a", "greet", { args: ["Ada", undefined], attempt: 3, headers: { trace: "t1" } });
  server.add("b", "nothing");
  server.add("c", "bytes");
  await settle();
  await settle();
  expect(server.answered("completed").split(" ").toSorted()).toEqual(["a", "b", "c"]);
  const result = (id: string) => {
    const { answer } = server.answers.get(id)!;
    return answer.case === "completed" ? decodePayload(answer.value.result) : answer;
  };
  expect(result("a")).toEqual({ text: "Hello, Ada!", attempt: 3, trace: "t1" });
  expect(result("b")).toBeUndefined();
  expect(result("c")).toEqual(new Uint8Array(Buffer.from("raw")));
});

test("the context says what the last attempt left behind, and exists only inside a handler", async () => {
  const infos: unknown[] = [];
  const { server } = await rig({ activities: { work: () => void infos.push(Context.current().info) } });
  server.add("a", "work", {
    attempt: 2,
    heartbeatDetails: encodePayload({ done: 7 }),
    lastFailure: { type: "Oops", message: "m", details: [encodePayload(1)] },
  });
  await settle();
  expect(infos).toMatchObject([
    {
      taskId: "a",
      taskQueue: "q",
      kind: "activity",
      heartbeatDetails: { done: 7 },
      lastFailure: { type: "Oops", details: [1] },
    },
  ]);
  expect(() => Context.current()).toThrow("outside of a handler");
});

test("a handler's log lines carry its task", async () => {
  const { server, lines } = await rig({ activities: { work: () => Context.current().log.info({ n: 1 }, "hello") } });
  server.add("a", "work");
  await settle();
  expect(lines).toContainEqual({
    level: "info",
    message: "hello",
    n: 1,
    taskId: "a",
    type: "work",
    attempt: 1,
    taskQueue: "q",
    worker: "me",
  });
});

const cyclic = new Error("round");
cyclic.cause = cyclic;
const hostile = new Proxy(new Error("x"), {
  get() {
    throw new Error("no peeking");
  },
});
class DiskFull extends Error {
  override name = "DiskFull";
}

test.each<[string, unknown, object]>([
  ["an error", new DiskFull("no space"), { type: "DiskFull", message: "no space", nonRetryable: false }],
  ["a string", "just text", { type: "Error", message: "just text" }],
  ["undefined", undefined, { message: "The handler threw undefined, which is no Error" }],
  ["null", null, { message: "The handler threw null, which is no Error" }],
  ["an object", { a: 1 }, { message: 'The handler threw {"a":1}, which is no Error' }],
  ["a symbol", Symbol("s"), { message: "The handler threw Symbol(s), which is no Error" }],
  ["an object without a prototype", Object.create(null), { message: "The handler threw {}, which is no Error" }],
  ["an error with a cycle", cyclic, { type: "Error", message: "round", cause: { message: "round" } }],
  ["an error that throws when it is looked at", hostile, { type: "Error" }],
  [
    "an error with a huge message",
    new Error("x".repeat(1e6)),
    { message: expect.stringMatching(/^x{32000,}… \[1000000 bytes\]$/) as unknown },
  ],
  [
    "an application failure",
    ApplicationFailure.create({
      message: "m",
      type: "T",
      details: [1, 1n],
      nextRetryDelay: "3s",
      cause: new Error("why"),
    }),
    {
      type: "T",
      nonRetryable: false,
      nextRetryDelay: { seconds: 3n },
      cause: { message: "why" },
      details: [
        { body: { value: "1" } },
        { body: { value: expect.stringContaining("cannot be serialised") as unknown } },
      ],
    },
  ],
  [
    "a non-retryable failure",
    ApplicationFailure.nonRetryable("m", "T", { a: 1 }),
    { type: "T", nonRetryable: true, details: [{}] },
  ],
])("a handler that throws %s fails its attempt, and the worker goes on", async (_what, thrown, expected) => {
  const { server, worker } = await rig({
    activities: {
      now: () => {
        throw thrown;
      },
      later: async () => {
        throw thrown;
      },
    },
  });
  server.add("a", "now");
  server.add("b", "later");
  await settle();
  for (const id of ["a", "b"]) {
    expect(server.answers.get(id)?.answer).toMatchObject({ case: "failed", value: { failure: expected } });
  }
  expect(worker.getState()).toBe("RUNNING");
});

test.each<[string, () => unknown, string]>([
  ["a function", () => () => 1, "UnserializableResult"],
  ["a bigint", () => 1n, "UnserializableResult"],
  ["a cycle", () => ({ cyclic: [cyclic].map((e) => ({ e, self: globalThis })) }), "UnserializableResult"],
  ["three megabytes", () => "x".repeat(3e6), "ResultTooLarge"],
])("a handler that returns %s fails for good, and the failure says so", async (_what, work, type) => {
  const { server } = await rig({ activities: { work } });
  server.add("a", "work");
  await settle();
  expect(server.answers.get("a")?.answer).toMatchObject({
    case: "failed",
    value: { failure: { type, nonRetryable: true } },
  });
});

test("input that cannot be decoded fails for good; a type without a handler is given back", async () => {
  const read: Payload[] = [];
  const payloadConverter = {
    toPayload: encodePayload,
    fromPayload: (payload: Payload) => (read.push(payload), decodePayload(payload)),
  };
  const { server } = await rig({ payloadConverter, activities: { work: () => 1 } });
  server.add("a", "work", { input: [{ body: { case: "text", value: "{" } }] });
  // What it says is none of this worker's business.
  server.add("b", "other", { args: ["for another"] });
  await settle();
  expect(server.answers.get("a")?.answer).toMatchObject({
    case: "failed",
    value: { failure: { type: "UndecodableInput", nonRetryable: true } },
  });
  expect(server.answers.get("b")?.answer).toMatchObject({
    case: "released",
    value: { reason: "this worker has no activity handler other" },
  });
  expect(read.map(({ body }) => body.value)).toEqual(["{"]);
});

/** The worker learns that this server takes no answers with polls: they go by themselves from now on. */
async function withoutAnswersInPolls(server: FakeServer, clock: ManualClock): Promise<void> {
  server.ignoresAnswersOfPolls = true;
  server.add("first", "quick");
  // The poll that took the answer along waits for its full time.
  await clock.advance(61_000);
  server.answers.clear();
  server.responds.length = 0;
}

test("what finishes while answers are under way goes into the next call; a lost call is made again with the same request id", async () => {
  const gates = new Map<string, PromiseWithResolvers<void>>();
  const activities = {
    quick: () => 1,
    async work(id: string) {
      const own = gate();
      gates.set(id, own);
      await own.promise;
    },
  };
  const { clock, server } = await rig({ activities });
  await withoutAnswersInPolls(server, clock);
  const ids = ["a", "b", "c", "d"];
  for (const id of ids) server.add(id, "work", { args: [id] });
  await settle();
  const letGo = server.hold("RespondTasks");
  server.failNext("RespondTasks", refusal(Code.Unavailable, "SHUTTING_DOWN"), 2);
  gates.get("a")!.resolve();
  await settle();
  for (const id of ["b", "c", "d"]) gates.get(id)!.resolve();
  await settle();
  letGo();
  await clock.advance(2_000);
  expect(server.responds.map(({ answers }) => answers.length)).toEqual([1, 1, 1, 3]);
  const [first, again, third, next] = server.responds.map(({ requestId }) => requestId);
  expect(new Set([first, again, third]).size).toBe(1);
  expect(next).not.toBe(first);
  expect(first).not.toBe("");
  expect(server.answered("completed")).toBe("a b c d");
});

test("answers refused as a call are sent one by one", async () => {
  const end = gate();
  const { clock, server } = await rig({ activities: { work: () => end.promise, quick: () => 1 } });
  await withoutAnswersInPolls(server, clock);
  server.failNext("RespondTasks", refusal(Code.ResourceExhausted, "REQUEST_TOO_LARGE"));
  server.add("a", "work");
  server.add("b", "work");
  await settle();
  end.resolve();
  await settle();
  expect(server.responds.map(({ answers }) => answers.length)).toEqual([2, 1, 1]);
  expect(server.answered("completed")).toBe("a b");
});

test("an answer that the server refuses becomes a failure; one that it refuses again is given back", async () => {
  const { clock, server, lines } = await rig({ activities: { work: () => 1 }, workflows: { advance: () => ({}) } });
  const error = { reason: "COMMAND_REFUSED", field: "completed.commands[0]", message: "queue x is draining" };
  server.decide = ({ answer }, id) => {
    const isRefused = answer.case === "completed" || (answer.case === "failed" && id === "worse");
    return isRefused ? { result: AnswerResult.REFUSED, error } : undefined;
  };
  server.add("a", "work");
  server.add("w", "advance", { taskQueue: workflowQueue });
  server.add("worse", "work");
  await clock.advance(5_000);
  const message = "The server refused the answer: COMMAND_REFUSED: completed.commands[0]: queue x is draining";
  expect(server.answers.get("a")?.answer).toMatchObject({
    value: { failure: { type: "AnswerRefused", message, nonRetryable: true } },
  });
  expect(server.answers.get("w")?.answer).toMatchObject({
    value: { failure: { type: "AnswerRefused", message, nonRetryable: false } },
  });
  expect(server.answers.get("worse")?.answer.case).toBe("released");
  expect(lines.filter(({ level }) => level === "error").length).toBe(4);
});

test.each<[string, unknown]>([
  ["nothing", undefined],
  ["no command", {}],
  ["a function", () => 1],
  ["one of another name", { command: "signal", id: "a" }],
])("a command that is %s is a failure that says so, and the worker goes on", async (_what, command) => {
  const { server, worker } = await rig({
    workflows: {
      // As from JavaScript, or out of a history.
      odd: () => ({ commands: [command] as never }),
      plain() {},
    },
  });
  server.add("a", "odd", { taskQueue: workflowQueue });
  await settle();
  const { answer } = server.answers.get("a")!;
  expect(answer).toMatchObject({ case: "failed", value: { failure: { type: "TqError" } } });
  server.add("b", "plain", { taskQueue: workflowQueue });
  await settle();
  expect(server.answered("completed")).toBe("b");
  expect(worker.getStatus()).toMatchObject({ runningHandlers: 0, workflowSlotsUsed: 0 });
});

test("a workflow handler gets its task and what closed, and answers with commands and a result", async () => {
  interface Activities {
    hash(path: string): Promise<string>;
  }
  const seen: WorkflowTask[] = [];
  const { server } = await rig({
    workflows: {
      advance(task: WorkflowTask<[event: string]>, context) {
        seen.push(task);
        expect(Context.current()).toBe(context);
        const onClose = { taskQueue: "q", type: "advance", serialKey: task.serialKey, context: { step: 1 } };
        const hash = commands.activity<Activities>({ taskQueue: "files", onClose }).schedule("hash", "/a");
        return {
          commands: [
            hash,
            commands.scheduleActivity({ taskQueue: "files", type: "count", id: "count-1", args: [task.args[0]] }),
            commands.addTask({ taskQueue: "other", kind: "workflow", type: "begin" }),
            commands.startTimer({
              taskQueue: "q",
              type: "advance",
              delay: "5 minutes",
              serialKey: "w1",
              args: ["timeout"],
            }),
            commands.cancelTask("old", { reason: "superseded" }),
          ],
          result: { scheduled: hash.id.length },
        };
      },
      nothing() {},
      wrong: () => 7 as never,
    },
  });
  const closedTask = create(ClosedTaskSchema, {
    id: "a",
    type: "hash",
    outcome: { state: TaskState.COMPLETED, result: encodePayload("ff") },
    context: encodePayload({ step: 0 }),
    attempts: 2,
  });
  server.add("w", "advance", { taskQueue: workflowQueue, args: ["started"], serialKey: "w1", closedTask });
  server.add("n", "nothing", { taskQueue: workflowQueue });
  server.add("x", "wrong", { taskQueue: workflowQueue });
  await settle();
  expect(seen).toMatchObject([
    {
      id: "w",
      type: "advance",
      args: ["started"],
      serialKey: "w1",
      closedTask: { id: "a", state: "COMPLETED", result: "ff", context: { step: 0 }, attempts: 2 },
    },
  ]);
  const { answer } = server.answers.get("w")!;
  if (answer.case !== "completed") throw new Error("not completed");
  expect(decodePayload(answer.value.result)).toEqual({ scheduled: 36 });
  expect(answer.value.commands.map(({ command }) => command)).toMatchObject([
    {
      case: "scheduleActivityTask",
      value: {
        task: {
          type: "hash",
          taskQueue: { name: "files", kind: TaskQueueKind.ACTIVITY },
          onClose: { type: "advance", serialKey: "w1" },
        },
      },
    },
    {
      case: "scheduleActivityTask",
      value: { task: { id: "count-1", type: "count", input: [{ body: { value: '"started"' } }] } },
    },
    { case: "addTask", value: { task: { type: "begin", taskQueue: { name: "other", kind: TaskQueueKind.WORKFLOW } } } },
    {
      case: "startTimer",
      value: { type: "advance", delay: { seconds: 300n }, serialKey: "w1", taskQueue: workflowQueue },
    },
    { case: "cancelTask", value: { id: "old", reason: "superseded" } },
  ]);
  expect(server.answers.get("n")?.answer).toMatchObject({ case: "completed", value: { commands: [] } });
  expect(server.answers.get("x")?.answer).toMatchObject({
    case: "failed",
    value: { failure: { type: "InvalidCompletion" } },
  });
});

test("handlers and commands are the compiler's to check", () => {
  interface Activities {
    hash(path: string): Promise<string>;
  }
  const handler = (_task: WorkflowTask<[event: string]>) => ({ result: 1 });
  expectTypeOf({ advance: handler }).toExtend<NonNullable<WorkerOptions["workflows"]>>();
  expectTypeOf({ advance: (_event: string) => {} }).not.toExtend<NonNullable<WorkerOptions["workflows"]>>();
  // Never called: what is asked here is whether it compiles.
  const wrong = (options: Partial<WorkerOptions>) => [
    commands.activity<Activities>({ taskQueue: "q" }).schedule("hash", "/a"),
    // @ts-expect-error there is no such activity
    commands.activity<Activities>({ taskQueue: "q" }).schedule("hsah", "/a"),
    // @ts-expect-error its argument is of another type
    commands.activity<Activities>({ taskQueue: "q" }).schedule("hash", 7),
    // @ts-expect-error the delay is missing
    commands.startTimer({ taskQueue: "q", type: "t" }),
    // @ts-expect-error commands are made by `commands`
    { ...options, workflows: { advance: () => ({ commands: ["cancel"] }) } } satisfies Partial<WorkerOptions>,
  ];
  expectTypeOf(wrong).toBeFunction();
});
