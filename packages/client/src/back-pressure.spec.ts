import type { AddTasksRequest } from "@tq/proto";
import { expect, test } from "vitest";
import { Code, fakeServer, refusal, silent } from "../test/fake-server.ts";
import { ManualClock, settle } from "../test/manual-clock.ts";
import { Client } from "./client.ts";
import type { ClientOptions } from "./client-config.ts";

/** A server that answers one AddTasks call each time it is told to. */
function slowServer(options: ClientOptions = {}) {
  const calls: AddTasksRequest[] = [];
  const held: (() => void)[] = [];
  const transport = fakeServer({
    async addTasks(request) {
      calls.push(request);
      await new Promise<void>((resolve) => held.push(resolve));
      return { tasks: request.tasks.map(({ id }) => ({ id, run: 1 })) };
    },
  });
  const clock = new ManualClock();
  let encoded = 0;
  const payloadConverter = {
    toPayload: (value: unknown) => (
      encoded++,
      {
        $typeName: "tq.v1.Payload" as const,
        contentType: "",
        metadata: {},
        body: { case: "text" as const, value: String(value) },
      }
    ),
    fromPayload: () => undefined,
  };
  const client = Client.create({ transport, clock, payloadConverter, ...options });
  return {
    client,
    clock,
    calls,
    encoded: () => encoded,
    answer: async () => {
      await settle();
      held.shift()!();
      await settle();
    },
  };
}

const task = (n: number) => ({ taskQueue: "q", type: `t${n}`, args: [n] });
const types = (calls: AddTasksRequest[]) => calls.flatMap(({ tasks }) => tasks.map(({ type }) => type));

test("beyond the tasks that may wait, adds wait unencoded, and begin in order as others are answered", async () => {
  const backPressure = { maxWaitingTasks: 10 };
  const { client, calls, encoded, answer } = slowServer({ backPressure, coalescing: { maxTasksPerCall: 5 } });
  let answered = 0;
  const adds = Array.from({ length: 100 }, (_, n) => client.tasks.add(task(n)).then(() => answered++));
  await settle();
  expect(encoded()).toBe(10);
  for (let call = 1; call <= 20; call++) {
    await answer();
    expect(encoded()).toBe(Math.min(100, 10 + 5 * call));
    expect(answered).toBe(5 * call);
  }
  await Promise.all(adds);
  expect(types(calls)).toEqual(Array.from({ length: 100 }, (_, n) => `t${n}`));
});

test("bytes bound what waits as well, to one task beyond", async () => {
  const { client, encoded, answer } = slowServer({ backPressure: { maxWaitingBytes: 10_000 } });
  const large = { taskQueue: "q", type: "large", args: ["x".repeat(4_000)] };
  const adds = Array.from({ length: 4 }, () => client.tasks.add(large));
  await settle();
  expect(encoded()).toBe(3);
  await answer();
  await answer();
  await Promise.all(adds);
});

test("who does not await is refused beyond the calls that may wait, with what to do instead; who awaits never is", async () => {
  const backPressure = { maxWaitingTasks: 10, maxWaitingCalls: 20 };
  const { client, encoded, answer } = slowServer({ backPressure, coalescing: { maxTasksPerCall: 100 } });
  const adds = Array.from({ length: 100 }, (_, n) => client.tasks.add(task(n)));
  const results = Promise.allSettled(adds);
  await settle();
  expect(encoded()).toBe(10);
  for (let call = 0; call < 3; call++) await answer();
  const refused = (await results).filter((result) => result.status === "rejected");
  expect(refused.length).toBe(70);
  expect(refused[0]?.reason).toMatchObject({
    code: "resource_exhausted",
    message: expect.stringContaining("await them") as unknown,
  });
});

test("fifty thousand adds against a server that answers nothing hold no more than the bounds", async () => {
  const backPressure = { maxWaitingTasks: 100, maxWaitingCalls: 100 };
  const { client, clock, encoded } = slowServer({ backPressure, closeTimeout: 0 });
  let refused = 0;
  const accepted: Promise<unknown>[] = [];
  for (let n = 0; n < 50_000; n++) {
    const add = client.tasks.add(task(n));
    if (n < 200) accepted.push(add);
    else add.catch(() => refused++);
    if (n % 10_000 === 0) await settle();
  }
  await settle();
  expect([encoded(), refused]).toEqual([100, 49_800]);
  const ends = Promise.allSettled(accepted);
  const closing = client.close();
  await clock.advance(0);
  await closing;
  expect((await ends).map(({ status }) => status)).toEqual(Array.from({ length: 200 }, () => "rejected"));
});

test("a signal ends an add that waits for room or for the server, and what was not sent is not added", async () => {
  const { client, calls, answer } = slowServer({
    backPressure: { maxWaitingTasks: 2 },
    coalescing: { maxTasksPerCall: 1 },
  });
  const ending = new AbortController();
  const { signal } = ending;
  const adds = [0, 1, 2].map((n) => client.tasks.add(task(n), { signal }));
  const last = client.tasks.add(task(3));
  const results = Promise.allSettled(adds);
  await settle();
  ending.abort(new Error("enough"));
  for (const result of await results) expect(result).toMatchObject({ reason: { message: "enough" } });
  await expect(client.tasks.add(task(4), { signal })).rejects.toThrow("enough");
  await answer();
  await answer();
  await last;
  expect(types(calls)).toEqual(["t0", "t3"]);
});

test("closing waits for what waits for room too", async () => {
  const { client, answer } = slowServer({ backPressure: { maxWaitingTasks: 1 } });
  const adds = [0, 1].map((n) => client.tasks.add(task(n)));
  await settle();
  let isClosed = false;
  const closing = client.close().then(() => (isClosed = true));
  await expect(client.tasks.add(task(2))).rejects.toMatchObject({ code: "canceled" });
  await answer();
  expect(isClosed).toBe(false);
  await answer();
  await closing;
  await Promise.all(adds);
});

test("closing with the server gone takes the close timeout and no longer, and says what may have been added", async () => {
  const clock = new ManualClock();
  const transport = fakeServer({
    addTasks: () => {
      throw refusal(Code.Unavailable, "SHUTTING_DOWN", "gone");
    },
  });
  const coalescing = { maxTasksPerCall: 1 };
  const client = Client.create({ transport, clock, logger: silent, coalescing, closeTimeout: "3s", random: () => 1 });
  const adds = Promise.allSettled([0, 1].map((n) => client.tasks.add(task(n))));
  await settle();
  let isClosed = false;
  const closing = client.close().then(() => (isClosed = true));
  await clock.advance(2_999);
  expect(isClosed).toBe(false);
  await clock.advance(1);
  await closing;
  expect(await adds).toMatchObject([
    { reason: { code: "canceled", message: expect.stringContaining("may have been added") as unknown } },
    { reason: { code: "canceled", message: expect.stringContaining("was not added") as unknown } },
  ]);
  await settle();
  expect(clock.pending).toBe(0);
});
