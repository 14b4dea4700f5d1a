import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type AddTasksRequest, FailureSchema, type Payload, PayloadSchema, TaskSchema, TaskState } from "@tq/proto";
import { expect, test } from "vitest";
import { fakeServer } from "../test/fake-server.ts";
import { ManualClock, settle } from "../test/manual-clock.ts";
import { Client } from "./client.ts";
import type { ClientOptions } from "./client-config.ts";
import { EncryptionCodec } from "./encryption-codec.ts";
import { TqError } from "./errors.ts";
import { hideFailureText } from "./failure.ts";
import { decodePayload, encodePayload } from "./payload.ts";
import type { PayloadCodec } from "./payload-codec.ts";

/** Wraps each payload in another that names the codec. */
function wrapping(name: string, gates: Promise<void>[] = []): PayloadCodec & { encodes: number[] } {
  const encodes: number[] = [];
  return {
    encodes,
    async encode(payloads) {
      encodes.push(payloads.length);
      await gates.shift();
      return payloads.map((payload) => wrapped(name, payload));
    },
    decode: async (payloads) =>
      payloads.map((payload) => {
        if (payload.contentType !== name) throw new TqError({ code: "data_loss", message: `not ${name}` });
        return fromBinary(PayloadSchema, payload.body.value as Uint8Array);
      }),
  };
}

function wrapped(name: string, payload: Payload): Payload {
  return create(PayloadSchema, {
    contentType: name,
    body: { case: "bytes", value: toBinary(PayloadSchema, payload) },
  });
}

const twice = (value: unknown) => wrapped("outer", wrapped("inner", encodePayload(value)));

function rig(options: ClientOptions = {}) {
  const added: AddTasksRequest[] = [];
  const tasks = new Map<string, ReturnType<typeof create<typeof TaskSchema>>>();
  const transport = fakeServer({
    addTasks: (request) => {
      added.push(request);
      return { tasks: request.tasks.map(({ id }) => ({ id, run: 1 })) };
    },
    getTasks: ({ ids }) => ({ tasks: ids.flatMap((id) => tasks.get(id) ?? []) }),
    listTasks: () => ({ tasks: [...tasks.values()] }),
  });
  const codecs = [wrapping("inner"), wrapping("outer")];
  return { client: Client.create({ transport, payloadCodecs: codecs, ...options }), codecs, added, tasks };
}

test("every payload of a task goes through all codecs in order, all of a task at once", async () => {
  const { client, codecs, added } = rig();
  await client.tasks.add({
    taskQueue: "q",
    type: "t",
    args: [1, "two"],
    fallback: { taskQueue: "f", args: [3] },
    onClose: { taskQueue: "e", type: "closed", context: { w: 4 } },
  });
  const [task] = added[0]!.tasks;
  expect(task?.input).toEqual([twice(1), twice("two")]);
  expect(task?.fallback?.input).toEqual([twice(3)]);
  expect(task?.onClose?.context).toEqual(twice({ w: 4 }));
  expect(codecs.map(({ encodes }) => encodes)).toEqual([[4], [4]]);
});

test("every payload of a task that is read comes back, in reverse order: get, list and result alike", async () => {
  const { client, tasks } = rig();
  const failure = create(FailureSchema, {
    type: "T",
    message: "m",
    details: [twice(5)],
    cause: { details: [twice(6)] },
  });
  const outcome = { state: TaskState.COMPLETED, result: twice("r"), heartbeatDetails: twice("h"), failure };
  tasks.set(
    "a",
    create(TaskSchema, {
      id: "a",
      state: TaskState.COMPLETED,
      input: [twice("i")],
      outcome,
      failedAttempts: [{ failure }],
      closedTask: { id: "z", outcome, context: twice("c") },
    }),
  );
  const failed = { details: [5], cause: { details: [6] } };
  const expected = {
    args: ["i"],
    outcome: { result: "r", heartbeatDetails: "h", failure: failed },
    failedAttempts: [{ failure: failed }],
    closedTask: { result: "r", context: "c" },
  };
  expect(await client.tasks.get("a")).toMatchObject(expected);
  for await (const task of client.tasks.list()) expect(task).toMatchObject(expected);
  expect.assertions(3);
  expect(await client.tasks.getHandle("a").result()).toBe("r");
});

test("adds go out in the order of the calls, however long a codec takes over one of them", async () => {
  const slow = Promise.withResolvers<void>();
  const { client, added } = rig({ payloadCodecs: [wrapping("slow", [slow.promise])] });
  const adds = ["first", "second"].map((type) => client.tasks.add({ taskQueue: "q", type, args: [type] }));
  await settle();
  expect(added).toEqual([]);
  slow.resolve();
  await Promise.all(adds);
  expect(added.flatMap(({ tasks }) => tasks.map(({ type }) => type))).toEqual(["first", "second"]);
});

test("an add that a codec refuses is refused alone, and names the task", async () => {
  const { client, added } = rig({
    payloadCodecs: [
      {
        encode: async (payloads) => {
          if (payloads.some((payload) => decodePayload(payload) === "bad")) throw new Error("no key");
          return [...payloads];
        },
        decode: async (payloads) => [...payloads],
      },
    ],
  });
  const add = (id: string) => client.tasks.add({ taskQueue: "q", type: "t", id, args: [id] });
  const [bad, good] = await Promise.allSettled([add("bad"), add("good")]);
  expect(bad).toMatchObject({
    reason: { code: "unknown", message: "The payloads of task bad cannot be encoded: no key" },
  });
  expect(good.status).toBe("fulfilled");
  expect(added.map(({ tasks }) => tasks.map(({ id }) => id))).toEqual([["good"]]);
});

test("what cannot be decoded keeps the codec's code, and names the task", async () => {
  const { client, tasks } = rig();
  tasks.set(
    "a",
    create(TaskSchema, { id: "a", type: "t", outcome: { state: TaskState.COMPLETED, result: encodePayload(1) } }),
  );
  await expect(client.tasks.getHandle("a").result()).rejects.toMatchObject({
    code: "data_loss",
    message: "The payloads of task a (t) cannot be decoded: not outer",
  });
});

test("a codec that loses payloads is found out", async () => {
  const { client } = rig({ payloadCodecs: [{ encode: async () => [], decode: async () => [] }] });
  await expect(client.tasks.add({ taskQueue: "q", type: "t", args: [1] })).rejects.toMatchObject({ code: "internal" });
});

test("a failure whose text was hidden from the server is readable again", async () => {
  const { client, tasks } = rig({ payloadCodecs: [] });
  const failure = create(FailureSchema, { type: "T", message: "secret", stackTrace: "at secret" });
  hideFailureText(failure);
  expect(failure).toMatchObject({ message: "Encoded failure", stackTrace: "" });
  tasks.set("a", create(TaskSchema, { id: "a", outcome: { state: TaskState.FAILED, failure } }));
  const { outcome } = await client.tasks.get("a");
  expect(outcome?.failure).toMatchObject({ message: "secret", stackTrace: "at secret" });
});

test("a result that was encrypted is not taken for bytes by a client without the codec", async () => {
  const { client, tasks } = rig({ payloadCodecs: [] });
  const codec = new EncryptionCodec({ keyId: "k", keys: { k: new Uint8Array(32) } });
  const [result] = await codec.encode([encodePayload("secret")]);
  tasks.set("a", create(TaskSchema, { id: "a", outcome: { state: TaskState.COMPLETED, result: result! } }));
  await expect(client.tasks.getHandle("a").result()).rejects.toMatchObject({
    code: "failed_precondition",
    message: expect.stringContaining("payloadCodecs") as string,
  });
  // Who only looks at the task still can.
  expect(await client.tasks.get("a")).toMatchObject({ id: "a" });
});

test("an add whose codec never answers ends with its signal, and with the client", async () => {
  const clock = new ManualClock();
  const { client } = rig({ clock, payloadCodecs: [wrapping("stuck", [new Promise(() => {}), new Promise(() => {})])] });
  const giveUp = new AbortController();
  const task = { taskQueue: "q", type: "t", args: [1] };
  const signaled = client.tasks.add(task, { signal: giveUp.signal });
  const left = client.tasks.add(task);
  giveUp.abort(new Error("enough"));
  await expect(signaled).rejects.toThrow("enough");
  const refused = left.catch((error: unknown) => error);
  const closed = client.close();
  await settle();
  await clock.advance(5_000);
  await closed;
  expect(await refused).toMatchObject({ code: "canceled" });
});
