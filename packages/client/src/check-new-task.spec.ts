import { expect, test } from "vitest";
import { fakeServer, silent } from "../test/fake-server.ts";
import { Client } from "./client.ts";
import type { NewTask } from "./new-task.ts";
import { decodePayload } from "./payload.ts";
import { defaultPayloadConverter, type PayloadConverter } from "./payload-converter.ts";

const transport = fakeServer({
  addTasks: ({ tasks }) => ({ tasks: tasks.map(({ id }) => ({ id, run: 1 })) }),
});

const task = (options: object) => ({ taskQueue: "q", type: "t", ...options }) as NewTask;

const misfits: [field: string, options: object][] = [
  ["taskQueue", { taskQueue: 3 }],
  ["type", { type: undefined }],
  ["kind", { kind: "flow" }],
  ["id", { id: 7 }],
  ["id", { id: "" }],
  ["id", { id: null }],
  ["startToCloseTimeout", { startToCloseTimeout: null }],
  ["serialKey", { serialKey: null }],
  ["fairnessKey", { fairnessKey: {} }],
  ["priority", { priority: 1.5 }],
  ["priority", { priority: -1 }],
  ["fairnessWeight", { fairnessWeight: Number.NaN }],
  ["args", { args: "hello" }],
  ["headers", { headers: "x" }],
  ['headers["a"]', { headers: { a: 3 } }],
  ["retry", { retry: null }],
  ["retry.maxAttempts", { retry: { maxAttempts: 3 } }],
  ["retry.maximumAttempts", { retry: { maximumAttempts: Number.POSITIVE_INFINITY } }],
  ["retry.jitter", { retry: { jitter: "much" } }],
  ["retry.nonRetryableFailureTypes[1]", { retry: { nonRetryableFailureTypes: ["a", 1] } }],
  ["startToCloseTimeout", { startToCloseTimeout: 1e300 }],
  ["fallback.taskQueue", { fallback: {} }],
  ["fallback.queue", { fallback: { taskQueue: "r", queue: "s" } }],
  ["id", { id: "half \ud800" }],
  ["taskQueue", { taskQueue: "\udc00 half" }],
  [String.raw`headers["\ud800"]`, { headers: { "\ud800": "a" } }],
  ['headers["a"]', { headers: { a: "\ud800" } }],
  ["onClose.type", { onClose: { taskQueue: "engine" } }],
  ["onClose.serialkey", { onClose: { taskQueue: "engine", type: "t", serialkey: "w" } }],
];

test.each(misfits)(
  "a task whose %s cannot be written down is refused by that name, and nothing else with it",
  async (field, options) => {
    const client = Client.create({ transport, logger: silent });
    const before = client.tasks.add(task({}));
    const misfit = client.tasks.add(task(options));
    const after = client.tasks.add(task({}));
    await expect(misfit).rejects.toMatchObject({ code: "invalid_argument", fields: [{ field }] });
    await before;
    await after;
    // Nor does it take room away from what comes later.
    await client.tasks.add(task({}));
    await client.close();
  },
);

test("null is a context for on-close like any other value", async () => {
  const contexts: unknown[] = [];
  const client = Client.create({
    transport: fakeServer({
      addTasks: ({ tasks }) => {
        contexts.push(...tasks.map(({ onClose }) => decodePayload(onClose?.context)));
        return { tasks: tasks.map(({ id }) => ({ id, run: 1 })) };
      },
    }),
    logger: silent,
  });
  await client.tasks.add(task({ onClose: { taskQueue: "engine", type: "closed", context: null } }));
  await client.close();
  expect(contexts).toEqual([null]);
});

test("half a surrogate pair in a payload is refused by the argument's place; within JSON it travels", async () => {
  const plain: PayloadConverter = {
    toPayload: (value) => ({
      ...defaultPayloadConverter.toPayload(null),
      body: { case: "text", value: String(value) },
    }),
    fromPayload: () => undefined,
  };
  const client = Client.create({ transport, payloadConverter: plain, logger: silent });
  await expect(client.tasks.add(task({ args: ["a", "\ud800"] }))).rejects.toMatchObject({
    fields: [{ field: "input[1]", description: expect.stringContaining("half a surrogate pair") as unknown }],
  });
  await client.close();
  const payload = defaultPayloadConverter.toPayload("\ud800");
  expect(payload.body.value).toBe('"\\ud800"');
  expect(defaultPayloadConverter.fromPayload(payload)).toBe("\ud800");
});

test("a payload that cannot be written down is refused to its own caller", async () => {
  const payloadConverter = {
    ...defaultPayloadConverter,
    toPayload: (value: unknown) => {
      const payload = defaultPayloadConverter.toPayload(value);
      return value === "bad" ? { ...payload, body: { case: "bytes", value: "no bytes" } as never } : payload;
    },
    fromPayload: defaultPayloadConverter.fromPayload.bind(defaultPayloadConverter),
  };
  const client = Client.create({ transport, payloadConverter, logger: silent });
  const good = client.tasks.add(task({ args: ["good"] }));
  await expect(client.tasks.add(task({ args: ["bad"] }))).rejects.toMatchObject({ fields: [{ field: "input[0]" }] });
  await good;
  await client.tasks.add(task({ args: ["good"] }));
  await client.close();
});
