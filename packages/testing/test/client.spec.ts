import {
  CompressionCodec,
  EncryptionCodec,
  type NewTask,
  type PayloadCodec,
  type TaskClosedError,
  TaskFailedError,
} from "@tq/client";
import { ApplicationFailure, commands, Context, type WorkflowTask } from "@tq/worker-sdk";
import { afterEach, expect, test } from "vitest";
import { TestEnvironment, type TestEnvironmentOptions } from "../src/index.ts";

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function environmentOf(options: TestEnvironmentOptions = {}): Promise<TestEnvironment> {
  const environment = await TestEnvironment.createTimeSkipping(options);
  cleanUps.push(() => environment.teardown());
  return environment;
}

const keys = { k1: new Uint8Array(32).fill(7) };
const codecs = (): PayloadCodec[] => [
  new CompressionCodec({ minBytes: 64 }),
  new EncryptionCodec({ keyId: "k1", keys }),
];

test("with codecs the server never sees a value, and client, handlers and engine see all of them", async () => {
  const environment = await environmentOf({ client: { payloadCodecs: codecs() } });
  const secret = "secret ".repeat(50);
  const seen: unknown[] = [];
  const worker = await environment.createWorker({
    taskQueue: "q",
    payloadCodecs: codecs(),
    encodeCommonAttributes: true,
    activities: {
      work(text: string) {
        const { info } = Context.current();
        Context.current().heartbeat({ at: text });
        if (info.attempt === 1) throw ApplicationFailure.create({ message: text, type: "Once", details: [text] });
        seen.push(text, info.lastFailure?.message, info.lastFailure?.details);
        return { result: text };
      },
    },
    workflows: {
      hear({ closedTask, args }: WorkflowTask) {
        seen.push(closedTask?.result ?? args, closedTask?.context);
        if (closedTask === undefined) return {};
        return {
          commands: [commands.addTask({ taskQueue: "q", kind: "workflow", type: "hear", args: [closedTask.context] })],
        };
      },
    },
  });
  const running = worker.run();
  const handle = await environment.client.tasks.add({
    taskQueue: "q",
    type: "work",
    args: [secret],
    retry: { initialInterval: "1s" },
    onClose: { taskQueue: "q", type: "hear", context: { of: secret } },
  });
  expect(await environment.skipUntil(handle.result())).toEqual({ result: secret });
  await environment.clock.settle();
  expect(seen).toEqual([secret, secret, [secret], { result: secret }, { of: secret }, [{ of: secret }], undefined]);

  const stored = await environment.client.services.tasks.listTasks({ includePayloads: true });
  const text = JSON.stringify(stored, (_, value: unknown) => {
    if (typeof value === "bigint") return Number(value);
    return value instanceof Uint8Array ? Buffer.from(value).toString("latin1") : value;
  });
  expect(stored.tasks.length).toBe(3);
  expect(text).toContain("Once");
  expect(text).not.toContain("secret");
  const { args, failedAttempts } = await handle.describe();
  expect(args).toEqual([secret]);
  expect(failedAttempts[0]?.failure).toMatchObject({ message: secret, details: [secret] });
  worker.shutdown();
  await environment.skipUntil(running);
});

test("a worker without the key fails the attempt, and the next one that has it runs the task", async () => {
  const environment = await environmentOf({ client: { payloadCodecs: codecs() } });
  const known = new Map<string, Uint8Array>();
  const encryption = new EncryptionCodec({ keyId: "k1", keys: (id) => known.get(id) });
  const worker = await environment.createWorker({
    taskQueue: "q",
    payloadCodecs: [new CompressionCodec({ minBytes: 64 }), encryption],
    activities: { work: (text: string) => text.length },
  });
  const running = worker.run();
  const handle = await environment.client.tasks.add({ taskQueue: "q", type: "work", args: ["abc"] });
  await environment.clock.settle();
  expect(await handle.describe()).toMatchObject({
    state: "SCHEDULED",
    failedAttempts: [{ failure: { type: "UndecodableInput", nonRetryable: false } }],
  });
  known.set("k1", keys.k1);
  expect(await environment.skipUntil(handle.result())).toBe(3);
  worker.shutdown();
  await environment.skipUntil(running);
});

test("a long source is added whole, each task once, over a restart of the server in between", async () => {
  const environment = await environmentOf({
    client: {
      backPressure: { maxWaitingTasks: 500 },
      coalescing: { maxTasksPerCall: 100 },
      retry: { giveUpAfter: "1h" },
    },
  });
  const total = 5_000;
  function* source(): Generator<NewTask> {
    for (let n = 0; n < total; n++) yield { taskQueue: "q", type: "t", args: [n] };
  }
  let added = 0;
  const adding = environment.client.tasks.addAll(source(), {
    onAdded: () => {
      if (++added === 1_000) void environment.restartServer();
    },
  });
  expect(await environment.skipUntil(adding)).toEqual({ added: total, existed: 0, refused: 0 });
  const numbers: unknown[] = [];
  for await (const task of environment.client.tasks.list(
    { taskQueue: "q" },
    { includePayloads: true, pageSize: 1_000 },
  ))
    numbers.push(task.args[0]);
  expect(numbers).toEqual(Array.from({ length: total }, (_, n) => n));
});

test("typed workflow tasks are handled one at a time for each workflow, in order; execute answers their result", async () => {
  const environment = await environmentOf();
  const order: string[] = [];
  const workflows = {
    async note({ args: [event], serialKey }: WorkflowTask<[event: string]>) {
      order.push(`${serialKey} ${event} in`);
      await Context.current().sleep("1s");
      order.push(`${serialKey} ${event} out`);
      return { result: event.length };
    },
  };
  const worker = await environment.createWorker({ taskQueue: "engine", workflows });
  const running = worker.run();
  const engine = environment.client.workflow<typeof workflows>({ taskQueue: "engine" });
  const handles = [await engine.signal("w1", "note", "first"), await engine.signal("w1", "note", "second")];
  expect(await environment.skipUntil(Promise.all(handles.map((handle) => handle.result())))).toEqual([5, 6]);
  expect(order).toEqual(["w1 first in", "w1 first out", "w1 second in", "w1 second out"]);
  expect(await environment.skipUntil(engine.execute("note", "third"))).toBe(5);
  worker.shutdown();
  await environment.skipUntil(running);
});

test("a failure comes to the caller with what the handler said", async () => {
  const environment = await environmentOf();
  const activities = {
    refuse(): never {
      throw ApplicationFailure.nonRetryable("no", "Refused", { code: 7 });
    },
  };
  const worker = await environment.createWorker({ taskQueue: "q", activities });
  const running = worker.run();
  const refused = environment.client.activity({ taskQueue: "q", activities }).execute("refuse");
  const error = await environment.skipUntil(refused).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(TaskFailedError);
  expect((error as TaskClosedError).failure).toMatchObject({ type: "Refused", message: "no", details: [{ code: 7 }] });
  worker.shutdown();
  await environment.skipUntil(running);
});
