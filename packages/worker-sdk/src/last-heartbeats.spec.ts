import { create } from "@bufbuild/protobuf";
import { decodePayload, EncryptionCodec, encodePayload, type PayloadCodec } from "@tq/client";
import { CodecChain } from "@tq/client/internal";
import { AnswerResult, type Heartbeat, type Payload, PayloadSchema } from "@tq/proto";
import { expect, test, vi } from "vitest";
import { Code, refusal } from "../test/fake-server.ts";
import { gate, rig } from "../test/rig.ts";
import { Context } from "./context.ts";

/** A handler that leaves a mark, and ends as the test says. */
function marking(end: () => unknown) {
  return async () => {
    Context.current().heartbeat("mark");
    return end();
  };
}

/** The tasks that heartbeats name, and what these say. */
function said(heartbeats: readonly Heartbeat[]) {
  return heartbeats.map(({ token, details }) => [Buffer.from(token).toString().split("/")[0], decodePayload(details)]);
}

test("a shutdown waits also for the answer that is sent instead of one that was refused", async () => {
  const end = gate();
  const { clock, server, worker, run } = await rig({ activities: { work: marking(() => end.promise) } });
  server.decide = ({ answer }) =>
    answer.case === "completed" ? { result: AnswerResult.REFUSED, error: { message: "no" } } : undefined;
  server.add("a", "work");
  await clock.advance(0);
  worker.shutdown();
  await clock.advance(0);
  const letThrough = server.hold("HeartbeatTasks");
  end.resolve();
  await clock.advance(1_000);
  expect(server.heartbeats.length).toBe(1);
  letThrough();
  await run;
  expect(server.answered("failed")).toBe("a");
  expect(worker.getStatus().shutdown).toMatchObject({ finished: 1, answersLost: 0 });
});

test("a shutdown gives up what handlers said last in time to send the answers that wait for it", async () => {
  const end = gate();
  const rest = await rig({ activities: { work: marking(() => end.promise) }, shutdownForceTime: "1s" });
  const { clock, server, worker, run } = rest;
  server.add("a", "work");
  await clock.advance(0);
  server.hold("HeartbeatTasks");
  worker.shutdown();
  await clock.advance(2_999);
  expect(server.heartbeats.length).toBe(1);
  expect(server.answered("released")).toBe("");
  await clock.advance(1);
  expect(server.answered("released")).toBe("a");
  await run;
  expect(worker.getStatus().shutdown).toMatchObject({ givenBack: 1, answersLost: 0 });
  end.resolve();
});

test("so it does where the calls with it fail, and where a codec does not come back with it", async () => {
  const end = gate();
  const hangs: PayloadCodec = { encode: async () => new Promise(() => {}), decode: async (payloads) => [...payloads] };
  const activities = { work: marking(() => end.promise) };
  for (const payloadCodecs of [[], [hangs]]) {
    const { clock, server, worker, run } = await rig({ activities, payloadCodecs, shutdownForceTime: "1s" });
    server.failNext("HeartbeatTasks", refusal(Code.Unavailable, "SHUTTING_DOWN"), 1_000);
    server.add("a", "work");
    await clock.advance(0);
    worker.shutdown();
    await clock.advance(3_000);
    await run;
    expect(server.answered("released")).toBe("a");
    expect(worker.getStatus().shutdown).toMatchObject({ givenBack: 1, answersLost: 0 });
  }
  end.resolve();
});

test("a mark that cannot be sent costs no other its place, and is said to be lost once", async () => {
  const { clock, server, lines } = await rig({
    activities: {
      fails: marking(() => {
        throw new Error("after a mark");
      }),
    },
  });
  const bad = refusal(Code.InvalidArgument, "INVALID_FIELD", "heartbeats[1].details is not for me");
  server.failNext("HeartbeatTasks", bad);
  for (const id of ["a", "b", "c"]) server.add(id, "fails");
  const letThrough = server.hold("HeartbeatTasks");
  await clock.advance(0);
  letThrough();
  // The first of those that go by themselves.
  server.failNext("HeartbeatTasks", bad);
  await clock.advance(0);
  expect(server.heartbeats.map((call) => call.map(({ token }) => Buffer.from(token).toString()))).toEqual([
    ["a/1", "b/2", "c/3"],
    ["a/1"],
    ["b/2"],
    ["c/3"],
  ]);
  expect(server.answered("failed")).toBe("a b c");
  expect(lines.filter(({ level }) => level === "warn")).toMatchObject([{ lost: 1, error: bad.rawMessage }]);
});

test.each([
  ["is away", "waits", Code.Unavailable, undefined],
  // Both in one call, and then each by itself.
  ["fails otherwise", "goes out without it", Code.Internal, 5 + 2],
  ["does not answer this call", "goes out without it", Code.DeadlineExceeded, 5],
])("where the server %s, an answer whose mark it does not take %s", async (_why, what, code, calls) => {
  const isGivenUp = what !== "waits";
  const end = gate();
  const { clock, server, worker } = await rig({
    activities: {
      fails: marking(async () => {
        await end.promise;
        throw new Error("after a mark");
      }),
    },
  });
  server.failNext("HeartbeatTasks", refusal(code, ""), 1_000);
  server.add("a", "fails");
  server.add("b", "fails");
  await clock.advance(0);
  end.resolve();
  await clock.advance(1_000);
  expect(server.answered("failed")).toBe("");
  await clock.advance(120_000);
  expect(server.answered("failed")).toBe(isGivenUp ? "a b" : "");
  expect(worker.getStatus().isServerAway).toBe(!isGivenUp);
  if (isGivenUp) expect(server.heartbeats.length).toBe(calls);
  server.heal();
  await clock.advance(5_000);
  expect(server.answered("failed")).toBe("a b");
});

/** A payload that cannot be written down, as converters and codecs in JavaScript may make them. */
const unwritable = create(PayloadSchema, { body: { case: "bytes", value: "no bytes" as never } });

test("details that a converter makes no payload of are refused at once, and are in no call", async () => {
  const thrown: unknown[] = [];
  const { clock, server } = await rig({
    payloadConverter: {
      toPayload: (value) => (value === "bad" ? unwritable : encodePayload(value)),
      fromPayload: () => undefined,
    },
    activities: {
      async fails() {
        try {
          Context.current().heartbeat("bad");
        } catch (error) {
          thrown.push(error);
        }
        throw new Error("after a mark");
      },
    },
  });
  server.add("a", "fails");
  await clock.advance(2_000);
  expect(thrown).toMatchObject([
    { code: "invalid_argument", message: expect.stringContaining("details: ") as unknown },
  ]);
  expect(server.heartbeats).toEqual([]);
  expect(server.answered("failed")).toBe("a");
});

test("details that a codec makes no payload of are left out, and logged", async () => {
  const codec: PayloadCodec = {
    encode: async (payloads: readonly Payload[]) =>
      payloads.map((payload) => (payload.body.value === '"mark"' ? unwritable : payload)),
    decode: async (payloads) => [...payloads],
  };
  const { clock, server, lines } = await rig({
    payloadCodecs: [codec],
    activities: {
      fails: marking(() => {
        throw new Error("after a mark");
      }),
    },
  });
  server.add("a", "fails");
  await clock.advance(2_000);
  expect(server.heartbeats).toEqual([]);
  expect(server.answered("failed")).toBe("a");
  expect(lines).toContainEqual(expect.objectContaining({ level: "warn", taskId: "a" }));
});

const same: PayloadCodec = { encode: async (payloads) => [...payloads], decode: async (payloads) => [...payloads] };

test.each([
  ["without a codec", []],
  ["with a codec", [same]],
])(
  "once a handler has ended, a renewal sends nothing older than what it said last, %s",
  async (_what, payloadCodecs) => {
    const contexts: Context[] = [];
    const ends = { a: gate(), b: gate() };
    const fails = async () => {
      const context = Context.current();
      contexts.push(context);
      context.heartbeat(1);
      await ends[context.info.taskId as "a" | "b"].promise;
      context.heartbeat(2);
      throw new Error("after a mark");
    };
    const { clock, server } = await rig({ activities: { fails }, payloadCodecs });
    server.add("a", "fails");
    server.add("b", "fails");
    const letMarks = server.hold("HeartbeatTasks");
    // Both marks wait in the renewal.
    await clock.advance(500);
    ends.a.resolve();
    await clock.advance(400);
    expect(said(server.heartbeats.flat())).toEqual([["a", 2]]);
    const letRenewal = server.hold("RenewLeases");
    await clock.advance(100);
    const sent = () => server.renews.map(({ heartbeats }) => said(heartbeats)).filter(({ length }) => length > 0);
    expect(sent()).toEqual([[["b", 1]]]);
    // That of `b` is in a call that comes to nothing.
    server.failNext("RenewLeases", refusal(Code.Unavailable, "SHUTTING_DOWN"));
    ends.b.resolve();
    await clock.advance(0);
    const before = server.renews.length;
    letRenewal();
    await clock.advance(200);
    expect(server.renews.length).toBeGreaterThan(before);
    expect(sent()).toEqual([[["b", 1]]]);
    letMarks();
    await clock.advance(1_000);
    expect(said(server.heartbeats.flat())).toEqual([
      ["a", 2],
      ["b", 2],
    ]);
    expect(server.answered("failed")).toBe("a b");
    expect(sent()).toEqual([[["b", 1]]]);
  },
);

test.each([
  ["without a codec", []],
  ["encoded", [new EncryptionCodec({ keyId: "k", keys: { k: new Uint8Array(32).fill(1) }, refusePlaintext: true })]],
])("a mark goes before the answer also where the task is canceled or given back, %s", async (_what, payloadCodecs) => {
  const waits = marking(async () => {
    const { cancellationSignal } = Context.current();
    await new Promise((resolve) => cancellationSignal.addEventListener("abort", resolve));
    throw cancellationSignal.reason;
  });
  const { clock, server, worker, run } = await rig({ activities: { waits }, payloadCodecs, shutdownGraceTime: "1s" });
  server.add("a", "waits");
  server.add("b", "waits");
  await clock.advance(100);
  const letMarks = server.hold("HeartbeatTasks");
  server.cancel("a");
  await vi.waitUntil(() => server.heartbeats.length === 1, { timeout: 5_000 });
  expect(server.answers.size).toBe(0);
  letMarks();
  await server.answeredAll("a");
  expect(server.answered("canceled")).toBe("a");
  worker.shutdown();
  await clock.advance(1_000);
  await run;
  expect(server.answered("released")).toBe("b");
  const codec = new CodecChain(payloadCodecs);
  const plain = await codec.decode(server.heartbeats.flat().map(({ details }) => details!));
  expect(plain.map((payload) => decodePayload(payload))).toEqual(["mark", "mark"]);
  expect(server.heartbeats.map((call) => call.map(({ token }) => Buffer.from(token).toString()))).toEqual([
    ["a/1"],
    ["b/2"],
  ]);
});
