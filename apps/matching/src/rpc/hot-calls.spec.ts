import {
  create,
  type DescMessage,
  type DescMethodUnary,
  fromBinary,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { ConnectError, createRouterTransport } from "@connectrpc/connect";
import { errorToJsonBytes } from "@connectrpc/connect/protocol-connect";
import {
  AddTasksRequestSchema,
  NewTaskSchema,
  PollTasksRequestSchema,
  RespondTasksRequestSchema,
  TaskService,
  WorkerService,
} from "@tq/proto";
import { arbitraryMessage } from "@tq/proto/arbitrary";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { emptyPoll, FakeMatching, fakeDispatched } from "../../test/fake-matching.ts";
import { encodeTaskToken } from "../translation/task-token.ts";
import type { HotCall } from "./hot-calls.ts";
import { createHotCalls, createRoutes } from "./routes.ts";
import type { CallOrigin } from "./services-context.ts";

const { addTasks } = TaskService.method;
const { pollTasks, respondTasks } = WorkerService.method;

const origin: CallOrigin = {
  signal: new AbortController().signal,
  delivery: { onUndelivered: () => undefined },
  timeoutMs: () => undefined,
};

/** What a call came to: what the engine was asked, and the reply or the error, both as bytes. */
interface Outcome {
  readonly asked: readonly unknown[];
  readonly reply: Uint8Array | string;
}

function begin(poll = emptyPoll): { matching: FakeMatching; asked: () => readonly unknown[] } {
  const matching = new FakeMatching();
  // A status for each answer, as the engine has it.
  matching.onPoll = ({ answers }) =>
    Promise.resolve({ ...poll, statuses: answers?.answers.map(() => ({ status: "accepted" as const })) ?? [] });
  return {
    matching,
    asked: () => [
      matching.adds,
      matching.answers,
      matching.polls.map(({ signal: _signal, delivery: _delivery, ...call }) => call),
    ],
  };
}

const options = { version: "1", random: () => 0, report: () => undefined };

async function usual(method: DescMethodUnary, request: Uint8Array, poll = emptyPoll): Promise<Outcome> {
  const { matching, asked } = begin(poll);
  const transport = createRouterTransport(createRoutes(matching, options));
  try {
    const message = fromBinary(method.input, request);
    const response = await transport.unary(method, undefined, undefined, undefined, message);
    return { asked: asked(), reply: Uint8Array.from(toBinary(method.output, response.message)) };
  } catch (error) {
    return { asked: asked(), reply: textOf(error) };
  }
}

async function hot(method: DescMethodUnary, request: Uint8Array, poll = emptyPoll): Promise<Outcome | undefined> {
  const { matching, asked } = begin(poll);
  const call = createHotCalls(matching, options).get(`/${method.parent.typeName}/${method.name}`) as HotCall;
  try {
    const reply = await call(request, origin);
    return reply && { asked: asked(), reply: Uint8Array.from(reply) };
  } catch (error) {
    return { asked: asked(), reply: textOf(error) };
  }
}

function textOf(error: unknown): string {
  return Buffer.from(errorToJsonBytes(ConnectError.from(error), undefined)).toString();
}

/** Bytes are alike whatever class they have. */
function plain(outcome: unknown): unknown {
  return JSON.parse(
    JSON.stringify(outcome, (_key, value: unknown) => {
      if (value instanceof Set) return [...(value as Set<unknown>)];
      if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
      const { type, data } = (value ?? {}) as { type?: unknown; data?: unknown };
      return type === "Buffer" && Array.isArray(data) ? Buffer.from(data as number[]).toString("hex") : value;
    }) ?? "null",
  );
}

/** Tasks as they mostly are, each with some field that is not. */
const likelyTask = fc
  .tuple(arbitraryMessage(NewTaskSchema), fc.constantFrom("a", "b", "ä", "\u007f", "tq.x"), fc.nat({ max: 2 }))
  .map(([task, name, kind]) => ({
    ...create(NewTaskSchema, {
      id: `${name}-${kind}-${task.id.length}`,
      taskQueue: { name, kind },
      type: "t",
      input: task.input.map(({ body }) => ({ body })),
      retention: { seconds: BigInt(kind) },
    }),
    ...(task.priority % 3 === 0 ? { priority: task.priority % 7 } : {}),
    ...(task.serialKey.length === 3 ? { serialKey: task.serialKey, headers: task.headers } : {}),
  }));

const token = fc.constantFrom(
  encodeTaskToken({ seq: 1, leaseNo: 2 }),
  encodeTaskToken({ seq: 2 ** 40, leaseNo: 2 ** 52 }),
  Uint8Array.of(1, 2, 3),
);

describe.each<[string, DescMethodUnary, DescMessage]>([
  ["AddTasks", addTasks, AddTasksRequestSchema],
  ["PollTasks", pollTasks, PollTasksRequestSchema],
  ["RespondTasks", respondTasks, RespondTasksRequestSchema],
])("%s", (_name, method, schema) => {
  const likely = (message: MessageShape<DescMessage>, tasks: unknown[], tokens: Uint8Array[]): void => {
    const request = message as unknown as { tasks?: unknown[]; answers?: { token: Uint8Array }[]; namespace: string };
    request.namespace = "";
    if (request.tasks !== undefined && tasks.length > 0) request.tasks = tasks;
    for (const [i, answer] of (request.answers ?? []).entries()) answer.token = tokens[i % 3] ?? answer.token;
  };

  test("does what its handler does, and answers the same", async () => {
    let left = 0;
    const runs = 200;
    await fc.assert(
      fc.asyncProperty(
        arbitraryMessage(schema),
        fc.array(likelyTask, { maxLength: 4 }),
        fc.array(token, { minLength: 3, maxLength: 3 }),
        async (message, tasks, tokens) => {
          likely(message, tasks, tokens);
          const bytes = Uint8Array.from(toBinary(schema, message));
          const outcome = await hot(method, bytes);
          // Left to the usual way: nothing was done.
          if (outcome === undefined) left++;
          else expect(plain(outcome)).toEqual(plain(await usual(method, bytes)));
        },
      ),
      { numRuns: runs },
    );
    expect(left).toBe(0);
  });

  test("of bytes that are broken it does what its handler does, or refuses them too, or leaves them to it", async () => {
    await fc.assert(
      fc.asyncProperty(arbitraryMessage(schema), fc.nat(), fc.nat({ max: 255 }), async (message, at, byte) => {
        const bytes = Uint8Array.from(toBinary(schema, message));
        if (bytes.length > 0) bytes[at % bytes.length] = byte;
        const outcome = await hot(method, bytes);
        if (outcome === undefined) return;
        const expected = await usual(method, bytes);
        expect(plain(outcome.asked)).toEqual(plain(expected.asked));
        // Which of two faults is named may differ: one in an item is found when the item is read.
        expect(typeof outcome.reply).toBe(typeof expected.reply);
        if (typeof outcome.reply !== "string") expect(plain(outcome)).toEqual(plain(expected));
      }),
      { numRuns: 200 },
    );
  });
});

test("PollTasks answers with deliveries as they would be encoded, plain ones and others", async () => {
  const poll = {
    ...emptyPoll,
    registrationsWanted: true,
    tasks: [
      fakeDispatched("a"),
      fakeDispatched("b", { input: Buffer.from([0x03, 0x12, 0x01, 0x61, 0x02, 0x12, 0x00]), serialKey: "s" }),
      fakeDispatched("c", { headers: { trace: "1" }, scheduleToCloseAt: 1_700_000_001_234 }),
      fakeDispatched("d", { timeouts: { heartbeatMs: 1_500 }, startedAt: 1_700_000_000_001, fairnessKey: "ä" }),
    ],
  };
  const request = toBinary(
    PollTasksRequestSchema,
    create(PollTasksRequestSchema, { worker: { workerId: "w" }, taskQueues: [{ name: "q", kind: 1 }] }),
  );
  const outcome = await hot(pollTasks, request, poll);
  expect(plain(outcome)).toEqual(plain(await usual(pollTasks, request, poll)));
  expect(fromBinary(pollTasks.output, outcome?.reply as Uint8Array).tasks).toHaveLength(4);
});
