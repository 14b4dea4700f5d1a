import { EncryptionCodec, encodePayload, type PayloadCodec, TqError } from "@tq/client";
import { create } from "@bufbuild/protobuf";
import { type Payload, PayloadSchema } from "@tq/proto";
import { expect, test } from "vitest";
import { gate, rig } from "../test/rig.ts";
import { settle } from "../test/manual-clock.ts";
import { commands } from "./commands.ts";
import { Context } from "./context.ts";
import { ApplicationFailure } from "./failure.ts";

const keys = { k1: new Uint8Array(32).fill(1) };
const encryption = new EncryptionCodec({ keyId: "k1", keys, refusePlaintext: true });
const payload = (value: unknown) => create(PayloadSchema, { body: { case: "text", value: JSON.stringify(value) } });
const secret = async (value: unknown) => (await encryption.encode([payload(value)]))[0]!;
const open = async (coded: Payload | undefined) => {
  const [plain] = await encryption.decode([coded!]);
  return JSON.parse(plain!.body.value as string) as unknown;
};

/** Answers of codecs come in later turns of the event loop than those of a handler. */
async function settled() {
  for (let turn = 0; turn < 5; turn++) await settle();
}

test("a handler gets everything decoded, and its result goes out encoded", async () => {
  const infos: unknown[] = [];
  const { server } = await rig({
    payloadCodecs: [encryption],
    activities: {
      work(n: number) {
        infos.push(Context.current().info);
        return { n: n + 1 };
      },
    },
  });
  server.add("a", "work", {
    input: [await secret(1)],
    heartbeatDetails: await secret({ done: 7 }),
    lastFailure: { type: "Oops", details: [await secret("d")] },
  });
  await settled();
  expect(infos).toMatchObject([{ heartbeatDetails: { done: 7 }, lastFailure: { details: ["d"] } }]);
  const { answer } = server.answers.get("a")!;
  expect(answer.case === "completed" && (await open(answer.value.result))).toEqual({ n: 2 });
});

test("the payloads of commands and of failures go out encoded, and their text too if it is to be", async () => {
  const { server } = await rig({
    payloadCodecs: [encryption],
    encodeCommonAttributes: true,
    activities: {
      fail() {
        throw ApplicationFailure.create({ message: "secret", type: "T", details: [5], cause: new Error("hidden") });
      },
    },
    workflows: {
      w: () => ({ commands: [commands.scheduleActivity({ taskQueue: "q", type: "x", args: ["secret"] })] }),
    },
  });
  server.add("f", "fail");
  server.add("w", "w", { taskQueue: { name: "q", kind: 2 } });
  await settled();
  const failed = server.answers.get("f")!.answer;
  const failure = failed.case === "failed" ? failed.value.failure : undefined;
  expect(failure).toMatchObject({ type: "T", message: "Encoded failure", stackTrace: "", cause: { stackTrace: "" } });
  expect(await open(failure?.details[0])).toBe(5);
  expect(await open(failure?.encodedAttributes)).toMatchObject({ message: "secret" });
  expect(await open(failure?.cause?.encodedAttributes)).toMatchObject({ message: "hidden" });
  const completed = server.answers.get("w")!.answer;
  const command = completed.case === "completed" ? completed.value.commands[0]?.command : undefined;
  expect(command?.case === "scheduleActivityTask" && (await open(command.value.task?.input[0]))).toBe("secret");
});

test.each([
  ["is damaged", false, () => payload("plain")],
  [
    "has a key that is not known here",
    true,
    async () => (await new EncryptionCodec({ keyId: "k2", keys: { k2: keys.k1 } }).encode([payload(1)]))[0]!,
  ],
])("a task that %s fails without being run; tried again: %s", async (_what, isRetryable, input) => {
  let runs = 0;
  const { server } = await rig({ payloadCodecs: [encryption], activities: { work: () => void runs++ } });
  server.add("a", "work", { input: [await input()] });
  await settled();
  expect(runs).toBe(0);
  const { answer } = server.answers.get("a")!;
  expect(answer).toMatchObject({
    case: "failed",
    value: { failure: { type: "UndecodableInput", nonRetryable: !isRetryable } },
  });
});

test("a result that a codec cannot encode is a failure that gives nothing away, and the worker goes on", async () => {
  let isBroken = true;
  const flaky: PayloadCodec = {
    encode: async (payloads) => {
      if (isBroken) throw new TqError({ code: "unavailable", message: "key server away; secret" });
      return [...payloads];
    },
    decode: async (payloads) => [...payloads],
  };
  const { server, lines } = await rig({ payloadCodecs: [flaky], activities: { work: () => "secret" } });
  server.add("a", "work");
  await settled();
  expect(server.answers.get("a")!.answer).toMatchObject({
    case: "failed",
    value: { failure: { type: "UnencodableAnswer", nonRetryable: false, stackTrace: "" } },
  });
  expect(JSON.stringify(server.answers.get("a")!.answer)).not.toContain("secret");
  expect(lines.filter(({ level }) => level === "error")).toHaveLength(1);
  isBroken = false;
  server.add("b", "work");
  await settled();
  expect(server.answers.get("b")!.answer.case).toBe("completed");
});

test("heartbeats go out at once, their details once they are encoded, the latest alone", async () => {
  const encoding = [gate(), gate()];
  const seen: unknown[] = [];
  const slow: PayloadCodec = {
    async encode(payloads) {
      seen.push(...payloads.map(({ body }) => body.value));
      await encoding[seen.length - 1]?.promise;
      return [...payloads];
    },
    decode: async (payloads) => [...payloads],
  };
  const done = gate();
  const { server, clock } = await rig({
    payloadCodecs: [slow],
    activities: {
      async work() {
        for (let n = 1; n <= 5; n++) Context.current().heartbeat(n);
        await done.promise;
      },
    },
  });
  server.add("a", "work");
  await settled();
  const beats = () => server.renews.flatMap(({ heartbeats }) => heartbeats.map(({ details }) => details?.body.value));
  await clock.advance(1_000);
  expect(beats()).toEqual([undefined]);
  encoding[0]!.resolve();
  await settled();
  encoding[1]!.resolve();
  await clock.advance(1_000);
  expect(beats()).toEqual([undefined, "5"]);
  expect(seen).toEqual(["1", "5"]);
  done.resolve();
  await settled();
});

test("a worker without the codec does not take what was encrypted for the value: another worker may try", async () => {
  let calls = 0;
  const { server } = await rig({ activities: { work: () => ++calls } });
  server.add("a", "work", { input: [await secret(1)] });
  await settled();
  const { answer } = server.answers.get("a")!;
  expect(answer).toMatchObject({
    case: "failed",
    value: { failure: { type: "UndecodableInput", nonRetryable: false } },
  });
  expect(answer.case === "failed" && answer.value.failure?.message).toMatch(/payloadCodecs/);
  expect(calls).toBe(0);
});

test("what a failure says is kept though a part of it is of the wrong type", async () => {
  const { server } = await rig({
    activities: {
      fail() {
        throw ApplicationFailure.create({
          message: "out of stock",
          type: 409 as never,
          details: "no list" as never,
          nonRetryable: true,
          nextRetryDelay: 1e300,
        });
      },
    },
  });
  server.add("f", "fail");
  await settle();
  const { answer } = server.answers.get("f")!;
  expect(answer).toMatchObject({
    case: "failed",
    value: { failure: { type: "409", message: "out of stock", nonRetryable: true, details: [payload("no list")] } },
  });
});

test("a result and a failure's detail that a converter makes no payload of are failures that say so, and the worker goes on", async () => {
  const unwritable = create(PayloadSchema, { body: { case: "bytes", value: "no bytes" as never } });
  const { server, clock } = await rig({
    payloadConverter: {
      toPayload: (value) => (value === "bad" ? unwritable : encodePayload(value)),
      fromPayload: () => undefined,
    },
    activities: {
      returns: () => "bad",
      fails() {
        throw ApplicationFailure.create({ message: "out of stock", details: ["bad", "good"] });
      },
      works: () => "good",
    },
  });
  for (const id of ["returns", "fails", "works"]) server.add(id, id);
  await clock.advance(1_000);
  expect(server.answers.get("returns")?.answer).toMatchObject({
    case: "failed",
    value: { failure: { type: "UnserializableResult" } },
  });
  expect(server.answers.get("fails")?.answer).toMatchObject({
    case: "failed",
    value: {
      failure: {
        message: "out of stock",
        details: [{ body: { value: expect.stringContaining("cannot be serialised") as unknown } }, payload("good")],
      },
    },
  });
  expect(server.answered("completed")).toBe("works");
});
