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
  const next = { result: AnswerResult.ACCEPTED, losses: 0, isLost: false, cancel: undefined as string | undefined };
  const transport = createRouterTransport(({ service }) => {
    service(WorkerService, {
      respondTasks: (request) => {
        responds.push(request);
        if (next.losses-- > 0) throw refusal(Code.Unavailable, "SHUTTING_DOWN", "going");
        const error = { reason: "PAYLOAD_TOO_LARGE", field: "completed.result", message: "is too large" };
        return {
          statuses: [next.result === AnswerResult.REFUSED ? { result: next.result, error } : { result: next.result }],
        };
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
