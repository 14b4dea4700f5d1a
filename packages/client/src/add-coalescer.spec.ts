import { create } from "@bufbuild/protobuf";
import { AddedTaskSchema, type AddTasksRequest, type NewTask, NewTaskSchema } from "@tq/proto";
import { describe, expect, test } from "vitest";
import { Code, fakeServer, refusal, silent } from "../test/fake-server.ts";
import { ManualClock, settle } from "../test/manual-clock.ts";
import { AddCoalescer, type AddCoalescerOptions } from "./add-coalescer.ts";
import { AddRoom } from "./add-room.ts";
import { Client } from "./client.ts";
import type { CoalescingOptions } from "./client-config.ts";
import type { TqError } from "./errors.ts";

/** A server whose AddTasks calls wait until they are let go, and are then answered by `decide`. */
function server(options: { coalescing?: CoalescingOptions; decide?: (request: AddTasksRequest) => void } = {}) {
  const calls: AddTasksRequest[] = [];
  const held: (() => void)[] = [];
  let isHolding = true;
  const transport = fakeServer({
    async addTasks(request) {
      calls.push(request);
      if (isHolding) await new Promise<void>((resolve) => held.push(resolve));
      options.decide?.(request);
      return { tasks: request.tasks.map(({ id }) => ({ id, run: 1 })) };
    },
  });
  const clock = new ManualClock();
  const { coalescing = {} } = options;
  const retry = { giveUpAfter: "20s" } as const;
  const client = Client.create({ transport, clock, random: () => 1, coalescing, retry, logger: silent });
  return {
    client,
    clock,
    calls,
    /** Types of the tasks of each call, as `a b c`. */
    sent: () => calls.map(({ tasks }) => tasks.map(({ type }) => type).join(" ")),
    /** Lets the calls under way, and all later ones, go. */
    letGo: () => {
      isHolding = false;
      for (const go of held.splice(0)) go();
    },
  };
}

const taskQueue = "q";
const add = (client: Client, type: string) => client.tasks.add({ taskQueue, type });

test("what is added at once goes in one call, and what comes while it is under way in the next", async () => {
  const { client, calls, letGo } = server();
  const first = Promise.all(Array.from({ length: 250 }, (_, n) => add(client, `t${n}`)));
  await settle();
  const second = Promise.all(Array.from({ length: 10 }, (_, n) => add(client, `u${n}`)));
  await settle();
  expect(calls.map(({ tasks }) => tasks.length)).toEqual([250]);
  letGo();
  const handles = [...(await first), ...(await second)];
  expect(calls.map(({ tasks }) => tasks.length)).toEqual([250, 10]);
  expect(handles.map(({ id }) => id)).toEqual(calls.flatMap(({ tasks }) => tasks.map(({ id }) => id)));
  expect(new Set(handles.map(({ id }) => id)).size).toBe(260);
});

test("a thousand adds at once go in two calls, one behind the other, in their order", async () => {
  const { client, calls, letGo } = server();
  const adds = Promise.all(Array.from({ length: 1_000 }, (_, n) => add(client, `t${n}`)));
  await settle();
  expect(calls.map(({ tasks }) => tasks.length)).toEqual([500]);
  letGo();
  const handles = await adds;
  expect(calls.map(({ tasks }) => tasks.length)).toEqual([500, 500]);
  expect(handles.map(({ id }) => id)).toEqual(calls.flatMap(({ tasks }) => tasks.map(({ id }) => id)));
});

test("many callers who await their adds make their next tasks while the server is at the others' ones", async () => {
  const order: string[] = [];
  let mostAtOnce = 0;
  let underWay = 0;
  const transport = fakeServer({
    async addTasks(request) {
      mostAtOnce = Math.max(mostAtOnce, ++underWay);
      order.push(`sent ${request.tasks.length}`);
      await settle();
      underWay -= 1;
      return { tasks: request.tasks.map(({ id }) => ({ id, run: 1 })) };
    },
  });
  const client = Client.create({ transport, logger: silent });
  const many = Array.from({ length: 100 }, () => ({ taskQueue, type: "t" }));
  await Promise.all(
    Array.from({ length: 10 }, async () => {
      for (let i = 0; i < 3; i++) {
        await client.tasks.addMany(many);
        order.push("told");
      }
    }),
  );
  // The first half, and then always one half while the callers of the other are told.
  const told = Array.from({ length: 5 }, () => "told");
  const half = ["sent 500", ...told];
  expect(order).toEqual(["sent 500", ...half, ...half, ...half, ...half, ...half, ...told]);
  expect(mostAtOnce).toBe(1);
});

describe("what waits while a call is under way", () => {
  /** Each call as its tasks, and as what was encoded of them: `-` if it was not. Each group that was encoded. */
  function withEncoding(options: Partial<AddCoalescerOptions> = {}) {
    const typesOf = (tasks: readonly NewTask[]) => tasks.map(({ type }) => type).join("");
    const calls: string[] = [];
    const encoded: string[] = [];
    const held: (() => void)[] = [];
    const coalescer = new AddCoalescer({
      clock: new ManualClock(),
      maxTasksPerCall: 3,
      maxBytesPerCall: 1_000,
      maxCallsInFlight: 1,
      giveUpAfterMs: 1_000,
      room: new AddRoom({ maxTasks: 100, maxBytes: 10_000, maxWaitingCalls: 10 }),
      onFailed: () => {},
      encode(tasks) {
        const types = typesOf(tasks);
        encoded.push(types);
        return Buffer.from(types.toUpperCase());
      },
      async send(tasks, pieces) {
        calls.push(`${typesOf(tasks)} ${pieces?.map(String).join(",") ?? "-"}`);
        await new Promise<void>((resolve) => held.push(resolve));
        return tasks.map(({ id }) => create(AddedTaskSchema, { id }));
      },
      ...options,
    });
    const add = (types: string, signal?: AbortSignal): Promise<number> =>
      coalescer.add({
        tasks: Array.from(types, (type) => create(NewTaskSchema, { type })),
        bytes: 10,
        chosenIds: [],
        roomBytes: 10,
        signal,
        answerOf: (_added, _offset, count) => count,
      });
    const letGo = async () => {
      held.shift()?.();
      await settle();
    };
    return { calls, encoded, add, letGo };
  }

  test("is encoded meanwhile, group by group, and goes so in the next call", async () => {
    const { calls, add, letGo } = withEncoding();
    const adds = [add("a")];
    await settle();
    adds.push(add("b"), add("cd"));
    await settle();
    await letGo();
    await letGo();
    expect(await Promise.all(adds)).toEqual([1, 1, 2]);
    expect(calls).toEqual(["a -", "bcd B,CD"]);
  });

  test("is encoded as the call before goes out, if it was there already", async () => {
    const { calls, add, letGo } = withEncoding();
    const adds = [add("abc"), add("d"), add("e")];
    await settle();
    await letGo();
    await letGo();
    await Promise.all(adds);
    expect(calls).toEqual(["abc -", "de D,E"]);
  });

  test("is encoded for one call, not for those behind it", async () => {
    const { encoded, add, letGo } = withEncoding();
    const adds = ["abc", "d", "ef", "g", "h"].map((types) => add(types));
    await settle();
    expect(encoded).toEqual(["d", "ef"]);
    for (let n = 0; n < 3; n++) await letGo();
    await Promise.all(adds);
  });

  test("is encoded within the bytes of a call", async () => {
    const { encoded, add, letGo } = withEncoding({ maxTasksPerCall: 100, maxBytesPerCall: 25 });
    const adds = ["a", "b", "c", "d", "e"].map((types) => add(types));
    await settle();
    expect(encoded).toEqual(["c", "d"]);
    for (let n = 0; n < 3; n++) await letGo();
    await Promise.all(adds);
  });

  test("is not encoded while another call may go out, nor where nothing waits", async () => {
    const { calls, encoded, add, letGo } = withEncoding({ maxCallsInFlight: 2 });
    const adds = [add("a")];
    await settle();
    adds.push(add("b"));
    await settle();
    expect(calls).toEqual(["a -", "b -"]);
    expect(encoded).toEqual([]);
    await letGo();
    await letGo();
    await Promise.all(adds);
  });

  test("goes with what has come too late to be encoded before", async () => {
    const { calls, add, letGo } = withEncoding({ maxTasksPerCall: 1_000 });
    const adds = [add("a")];
    await settle();
    adds.push(add("b"));
    await settle();
    // In the turn in which the reply comes.
    const answered = letGo();
    adds.push(add("c"));
    await answered;
    await letGo();
    await Promise.all(adds);
    expect(calls).toEqual(["a -", "bc B,C"]);
  });

  test("goes without its encoding if that of one group cannot be made, and without those who gave up", async () => {
    const encode = (tasks: readonly NewTask[]) => (tasks[0]?.type === "x" ? undefined : Buffer.from("?"));
    const { calls, add, letGo } = withEncoding({ encode });
    const leaving = new AbortController();
    const adds = [add("a")];
    await settle();
    const gone = add("b", leaving.signal);
    adds.push(add("x"), add("c"), add("d"), add("e"));
    await settle();
    leaving.abort();
    await expect(gone).rejects.toThrow("aborted");
    for (let n = 0; n < 3; n++) await letGo();
    await Promise.all(adds);
    expect(calls).toEqual(["a -", "xcd -", "e ?"]);
  });
});

test("one caller who awaits many adds together soon has them in one call", async () => {
  const { client, calls, letGo } = server();
  letGo();
  const burst = () => Promise.all(Array.from({ length: 500 }, (_, n) => add(client, `t${n}`)));
  for (let n = 0; n < 10; n++) await burst();
  const whole = Array.from({ length: 8 }, () => 500);
  expect(calls.map(({ tasks }) => tasks.length)).toEqual([250, 250, ...whole, 250, 250]);
});

test("a call is bounded by tasks, by bytes, and in number", async () => {
  const { client, calls, sent, letGo } = server({
    coalescing: { maxTasksPerCall: 3, maxBytesPerCall: 10_000, maxCallsInFlight: 2 },
  });
  const large = "x".repeat(9_000);
  const adds = [
    ...["a", "b", "c", "d"].map((type) => add(client, type)),
    client.tasks.add({ taskQueue, type: "large", args: [large] }),
    client.tasks.add({ taskQueue, type: "larger", args: [large, large] }),
  ];
  await settle();
  expect(calls.length).toBe(2);
  letGo();
  await Promise.all(adds);
  expect(sent()).toEqual(["a b c", "d large", "larger"]);
});

test("addMany stays together, whatever the bound, and shares a call with others", async () => {
  const { client, sent, letGo } = server({ coalescing: { maxTasksPerCall: 3 } });
  const many = client.tasks.addMany(["a", "b", "c", "d"].map((type) => ({ taskQueue, type })));
  const others = [add(client, "e"), client.tasks.addMany([{ taskQueue, type: "f" }])];
  letGo();
  expect((await many).length).toBe(4);
  await Promise.all(others);
  expect(sent()).toEqual(["a b c d", "e f"]);
  await expect(client.tasks.addMany([])).resolves.toEqual([]);
});

test("what is wrong with one task is told to its caller alone, and the others are added", async () => {
  const { client, sent, letGo } = server({
    decide({ tasks }) {
      const index = tasks.findIndex(({ type }) => type === "bad");
      if (index < 0) return;
      const field = `tasks[${index}].type`;
      throw refusal(Code.InvalidArgument, "INVALID_FIELD", `${field}: is bad`, {
        fields: [{ field, description: "is bad" }],
      });
    },
  });
  const adds = ["a", "bad", "c"].map((type) => add(client, type));
  const many = client.tasks.addMany(["d", "bad"].map((type) => ({ taskQueue, type })));
  letGo();
  const [a, bad, c, d] = await Promise.allSettled([...adds, many]);
  expect([a?.status, c?.status]).toEqual(["fulfilled", "fulfilled"]);
  const fieldsOf = (result: PromiseSettledResult<unknown>) =>
    ((result as PromiseRejectedResult).reason as TqError).fields;
  expect(bad).toMatchObject({ reason: { code: "invalid_argument", message: "type: is bad" } });
  expect(fieldsOf(bad!)).toEqual([{ field: "type", description: "is bad" }]);
  expect(fieldsOf(d!)).toEqual([{ field: "tasks[1].type", description: "is bad" }]);
  expect(sent()).toEqual(["a bad c d bad", "a c d bad", "a c"]);
});

test("a refusal that names no task is narrowed down", async () => {
  const { client, sent, letGo } = server({
    decide({ tasks }) {
      if (!tasks.some(({ type }) => type === "bad")) return;
      throw refusal(Code.FailedPrecondition, "TASK_QUEUE_DRAINING", "queue q is draining");
    },
  });
  const adds = ["a", "b", "bad", "d"].map((type) => add(client, type));
  letGo();
  const results = await Promise.allSettled(adds);
  expect(results.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "rejected", "fulfilled"]);
  expect(sent()).toEqual(["a b bad d", "a b", "bad d", "bad", "d"]);
});

test("a task that there is no room for steps aside, holds nobody up, and comes back when told", async () => {
  let isFull = true;
  const { client, clock, sent, letGo } = server({
    decide({ tasks }) {
      const index = tasks.findIndex(({ type }) => type === "full");
      if (index < 0 || !isFull) return;
      const fields = [{ field: `tasks[${index}].task_queue`, description: "has its maximum backlog" }];
      throw refusal(Code.ResourceExhausted, "MAX_BACKLOG", "no room", { fields, retryAfterMs: 2_000 });
    },
  });
  letGo();
  const full = add(client, "full");
  await add(client, "a");
  await settle();
  await add(client, "b");
  isFull = false;
  await clock.advance(2_000);
  await full;
  expect(sent()).toEqual(["full a", "a", "b", "full"]);
});

test("a task that there is never room for is refused in time", async () => {
  const { client, clock, letGo } = server({
    decide() {
      throw refusal(Code.ResourceExhausted, "MAX_BACKLOG", "no room", { retryAfterMs: 8_000 });
    },
  });
  letGo();
  const full = add(client, "full");
  full.catch(() => {});
  await clock.advance(60_000);
  await expect(full).rejects.toMatchObject({ code: "resource_exhausted", reason: "MAX_BACKLOG" });
});

test("the same chosen id twice goes in two calls, as if each had come alone", async () => {
  const { client, calls, letGo } = server();
  const adds = [1, 2].map(() => client.tasks.add({ taskQueue, type: "a", id: "same" }));
  letGo();
  await Promise.all(adds);
  expect(calls.map(({ tasks }) => tasks.map(({ id }) => id))).toEqual([["same"], ["same"]]);
});

test("a lost call is made again with the same request id, the next one with another", async () => {
  let losses = 2;
  const { client, clock, calls, letGo } = server({
    decide() {
      if (losses-- > 0) throw refusal(Code.Unavailable, "SHUTTING_DOWN", "going");
    },
  });
  letGo();
  const adds = [add(client, "a"), add(client, "b")];
  await clock.advance(1_000);
  await Promise.all(adds);
  await add(client, "c");
  const ids = calls.map(({ requestId }) => requestId);
  expect(ids.length).toBe(4);
  expect(new Set(ids.slice(0, 3)).size).toBe(1);
  expect(ids[0]).not.toBe("");
  expect(ids[3]).not.toBe(ids[0]);
  expect(calls[2]?.tasks).toEqual(calls[0]?.tasks);
});

test("a server that stays away ends the waiting of everybody", async () => {
  const { client, clock, letGo } = server({
    decide() {
      throw refusal(Code.Unavailable, "SHUTTING_DOWN", "going");
    },
  });
  letGo();
  const adds = Promise.allSettled([add(client, "a"), add(client, "b")]);
  await clock.advance(30_000);
  expect((await adds).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  expect(clock.pending).toBe(0);
});

test("closing waits for what is being added, and takes no more", async () => {
  const { client, letGo } = server();
  const adding = add(client, "a");
  await settle();
  const closing = client.close();
  await expect(add(client, "b")).rejects.toMatchObject({ code: "canceled" });
  letGo();
  await closing;
  await expect(adding).resolves.toMatchObject({ existed: false });
});

test("what cannot travel is refused before anything is sent", async () => {
  const { client, calls } = server();
  await expect(client.tasks.add({ taskQueue, type: "a", args: [1n] })).rejects.toMatchObject({
    code: "invalid_argument",
  });
  await expect(client.tasks.add({ taskQueue, type: "a", startDelay: -1 })).rejects.toMatchObject({
    fields: [expect.objectContaining({ field: "startDelay" })],
  });
  await settle();
  expect(calls).toEqual([]);
});
