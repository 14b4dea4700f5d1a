import { createRouterTransport } from "@connectrpc/connect";
import { AnswerResult, type HeartbeatTasksRequest, type RespondTasksRequest, WorkerService } from "@tq/proto";
import { expect, test } from "vitest";
import { Code, refusal, silent } from "../test/fake-server.ts";
import { ManualClock } from "../test/manual-clock.ts";
import { ApplicationFailure } from "./application-failure.ts";
import { Client } from "./client.ts";
import type { ClientOptions } from "./client-config.ts";
import { EncryptionCodec } from "./encryption-codec.ts";
import { encodePayload } from "./payload.ts";

const token = new Uint8Array([1, 2, 3]);

function rig(options: ClientOptions = {}) {
  const responds: RespondTasksRequest[] = [];
  const beats: HeartbeatTasksRequest[] = [];
  const next = {
    result: AnswerResult.ACCEPTED,
    losses: 0,
    isLost: false,
    cancel: undefined as string | undefined,
    refusesTogether: false,
  };
  const transport = createRouterTransport(({ service }) => {
    service(WorkerService, {
      respondTasks: (request) => {
        responds.push(request);
        if (next.losses-- > 0) throw refusal(Code.Unavailable, "SHUTTING_DOWN", "going");
        if (request.answers.length > 1 && next.refusesTogether)
          throw refusal(Code.InvalidArgument, "MALFORMED_TOKEN", "bad");
        const error = { reason: "PAYLOAD_TOO_LARGE", field: "completed.result", message: "is too large" };
        const status = next.result === AnswerResult.REFUSED ? { result: next.result, error } : { result: next.result };
        return { statuses: request.answers.map(() => status) };
      },
      heartbeatTasks: (request) => {
        beats.push(request);
        const { cancel } = next;
        return {
          lostTokens: next.isLost ? [token] : [],
          cancelRequests: cancel === undefined ? [] : [{ token, reason: cancel }],
        };
      },
    });
  });
  const clock = new ManualClock();
  const client = Client.create({ transport, clock, logger: silent, random: () => 1, ...options });
  return { completion: client.asyncCompletion, clock, responds, beats, next };
}

const tokens = [1, 2, 3].map((n) => new Uint8Array([n]));

test("a result, a failure and a cancel go out by the token, each as one answer", async () => {
  const { completion, responds } = rig();
  await completion.complete(token, { n: 1 });
  await completion.complete(token);
  await completion.fail(token, ApplicationFailure.nonRetryable("no", "Refused", 7));
  await completion.reportCancellation(token, "halfway");
  expect(responds.map(({ answers }) => answers)).toMatchObject([
    [{ token, answer: { case: "completed", value: { result: encodePayload({ n: 1 }), commands: [] } } }],
    [{ token, answer: { case: "completed", value: { commands: [] } } }],
    [
      {
        answer: {
          case: "failed",
          value: { failure: { type: "Refused", message: "no", nonRetryable: true, details: [encodePayload(7)] } },
        },
      },
    ],
    [{ answer: { case: "canceled", value: { details: encodePayload("halfway") } } }],
  ]);
});

test("an answer whose reply was lost is sent again with its request id, and one that was known is no error", async () => {
  const { completion, clock, responds, next } = rig();
  next.losses = 2;
  next.result = AnswerResult.ALREADY_ANSWERED;
  const completing = completion.complete(token, 1);
  await clock.advance(1_000);
  await completing;
  expect(responds).toHaveLength(3);
  expect(new Set(responds.map(({ requestId }) => requestId)).size).toBe(1);
});

test("a token that is lost, and an answer that is refused, are errors that say so", async () => {
  const { completion, next } = rig();
  next.result = AnswerResult.LEASE_LOST;
  next.isLost = true;
  const lost = { code: "failed_precondition", reason: "LEASE_LOST" };
  await expect(completion.complete(token)).rejects.toMatchObject(lost);
  await expect(completion.heartbeat(token)).rejects.toMatchObject(lost);
  next.result = AnswerResult.REFUSED;
  await expect(completion.complete(token, "x")).rejects.toMatchObject({
    code: "invalid_argument",
    reason: "PAYLOAD_TOO_LARGE",
    fields: [{ field: "completed.result" }],
  });
});

test("a heartbeat brings its details, and hears of a cancel", async () => {
  const { completion, beats, next } = rig();
  expect(await completion.heartbeat(token, { done: 5 })).toEqual({ cancelRequested: false, cancelReason: "" });
  next.cancel = "not needed";
  expect(await completion.heartbeat(token)).toEqual({ cancelRequested: true, cancelReason: "not needed" });
  expect(beats.map(({ heartbeats }) => heartbeats)).toMatchObject([
    [{ token, details: encodePayload({ done: 5 }) }],
    [{ token }],
  ]);
});

test("results, failures and details go through the codecs", async () => {
  const codec = new EncryptionCodec({ keyId: "k", keys: { k: new Uint8Array(32) } });
  const { completion, responds, beats } = rig({ payloadCodecs: [codec], encodeCommonAttributes: true });
  await completion.complete(token, "secret");
  await completion.fail(token, new Error("secret"));
  await completion.heartbeat(token, "secret");
  const sent = JSON.stringify([responds, beats], (_, value: unknown) =>
    value instanceof Uint8Array ? Buffer.from(value).toString("latin1") : value,
  );
  expect(sent).not.toContain("secret");
  const [completed] = responds.map(({ answers }) => answers[0]!.answer);
  const result = completed?.case === "completed" ? completed.value.result! : encodePayload(undefined);
  expect(await codec.decode([result])).toEqual([encodePayload("secret")]);
});

test("what is answered at the same time goes in one call, and what comes meanwhile in the next", async () => {
  const { completion, responds, beats } = rig();
  const answering = tokens.map((each, n) => completion.complete(each, n));
  await Promise.all(tokens.map((each) => completion.heartbeat(each)));
  await Promise.all(answering);
  expect(responds.map(({ answers }) => answers.length)).toEqual([3]);
  expect(beats.map(({ heartbeats }) => heartbeats.length)).toEqual([3]);
  // Far over what one call takes.
  await Promise.all(Array.from({ length: 2_500 }, () => completion.complete(token)));
  expect(responds.slice(1).map(({ answers }) => answers.length)).toEqual([1_000, 1_000, 500]);
  await Promise.all(tokens.map((each) => completion.complete(each, "x".repeat(3 * 1024 * 1024))));
  expect(responds.slice(4).map(({ answers }) => answers.length)).toEqual([1, 1, 1]);
});

test("a call that is refused as a whole is made again for each, so that nobody fails for another one's", async () => {
  const { completion, responds, next } = rig();
  next.refusesTogether = true;
  await Promise.all(tokens.map((each) => completion.complete(each)));
  expect(responds.map(({ answers }) => answers.map((answer) => answer.token[0]))).toEqual([[1, 2, 3], [1], [2], [3]]);
});

test("a signal ends its own caller's waiting alone", async () => {
  const { completion, clock, responds, next } = rig();
  next.losses = 1;
  const ending = new AbortController();
  const first = completion.complete(tokens[0]!, 1, { signal: ending.signal });
  const second = completion.complete(tokens[1]!, 1);
  await clock.advance(0);
  const reason = new Error("enough");
  ending.abort(reason);
  await expect(first).rejects.toBe(reason);
  await clock.advance(1_000);
  await second;
  expect(responds).toHaveLength(2);
  await expect(completion.complete(token, 1, { signal: ending.signal })).rejects.toBe(reason);
  expect(responds).toHaveLength(2);
});

test("interceptors see answers and heartbeats before they are encoded, and may change them", async () => {
  const { completion, responds, beats } = rig({
    interceptors: [
      {
        respond: ({ answer, ...rest }, next) =>
          next({ ...rest, answer: answer.kind === "completed" ? { ...answer, result: "changed" } : answer }),
        heartbeat: async ({ details, ...rest }, next) => ({
          ...(await next({ ...rest, details: { seen: details } })),
          cancelRequested: true,
        }),
      },
    ],
  });
  await completion.complete(token, 1);
  expect(await completion.heartbeat(token, 2)).toMatchObject({ cancelRequested: true });
  expect(responds[0]?.answers[0]?.answer.value).toMatchObject({ result: encodePayload("changed") });
  expect(beats[0]?.heartbeats[0]?.details).toEqual(encodePayload({ seen: 2 }));
});

test("a task that is held has its heartbeats made until it is answered, with what was said last", async () => {
  const { completion, clock, responds, beats } = rig();
  const held = completion.hold(token, { interval: "5s" });
  await clock.advance(5_000);
  held.heartbeat("a quarter");
  held.heartbeat("half");
  await clock.advance(10_000);
  expect(beats.flatMap(({ heartbeats }) => heartbeats.map(({ details }) => details))).toEqual([
    undefined,
    undefined,
    encodePayload("half"),
    encodePayload("half"),
  ]);
  expect(held.cancellationSignal.aborted).toBe(false);
  await held.complete("done");
  await clock.advance(60_000);
  expect([beats.length, responds.length, clock.pending]).toEqual([4, 1, 0]);
});

test("its signal says that a cancel was asked for, and later that the task is lost, which ends it", async () => {
  const { completion, clock, beats, next } = rig();
  const held = completion.hold(token);
  const other = completion.hold(token);
  await clock.advance(0);
  next.cancel = "not needed";
  await clock.advance(10_000);
  expect(held.cancellationSignal.reason).toMatchObject({
    code: "canceled",
    message: "The task is to be canceled: not needed",
  });
  await held.reportCancellation();
  next.cancel = undefined;
  next.isLost = true;
  await clock.advance(10_000);
  const sent = beats.length;
  await clock.advance(60_000);
  expect([beats.length, clock.pending]).toEqual([sent, 0]);
  const third = completion.hold(token);
  await clock.advance(0);
  expect(third.cancellationSignal.reason).toMatchObject({ reason: "LEASE_LOST" });
  other.stop();
});

test("what cannot be held is refused, naming the option", () => {
  const { completion } = rig();
  const named = (field: string) => expect.objectContaining({ fields: [expect.objectContaining({ field })] }) as unknown;
  expect(() => completion.hold(token, { interval: 0 })).toThrow(named("interval"));
  expect(() => completion.hold(token, { every: 1 } as object)).toThrow(named("every"));
});
