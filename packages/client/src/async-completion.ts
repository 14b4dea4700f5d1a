import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  AnswerResult,
  type AnswerStatus,
  type Heartbeat,
  HeartbeatSchema,
  type ItemError,
  type TaskAnswer,
  TaskAnswerSchema,
} from "@tq/proto";
import { AsyncHold, type AsyncHoldOptions } from "./async-hold.ts";
import { type CallOptions, checkCallOptions } from "./call-options.ts";
import type { ClientConfig } from "./client-config.ts";
import { encodeFailure } from "./encode-failure.ts";
import { type ErrorReasonName, invalidField, TqError } from "./errors.ts";
import { Gathering } from "./gathering.ts";
import {
  type AsyncAnswer,
  type AsyncHeartbeatInput,
  type ClientInterceptor,
  composeInterceptors,
  type HeartbeatReply,
  type Next,
  type RespondInput,
} from "./interceptors.ts";
import { shown } from "./option-checks.ts";
import { encodeField, payloadBytes } from "./payload.ts";
import { type RetryContext, retrying } from "./retry.ts";
import type { Services } from "./services.ts";

/** What the completion of tasks from elsewhere needs. */
export interface AsyncCompletionOptions {
  readonly config: ClientConfig;
  readonly services: Services;
  readonly retry: RetryContext;
}

/** The contract's bounds on a call are 1,000 answers and 20,000 heartbeats. */
const maxItemsPerCall = 1_000;
/** Far below what the server takes in. */
const maxBytesPerCall = 4 * 1024 * 1024;
/** What an answer or a heartbeat takes beside its payload, about. */
const overheadBytes = 200;
const noOptions: CallOptions = Object.freeze({});

/**
 * Answers activities whose handlers left that to somebody else, with `Context.current().completeAsync()`: by the task's token
 * (`info.taskToken`), from any process, in any order. The token is the proof; nothing else is asked for, and a token of an attempt
 * that is over can do nothing to the next one. Workflow tasks cannot be left so: commands come from their worker alone.
 *
 * The task stays with its token as long as its lease does. The worker that ran the handler renews it while it lives, without
 * using a slot. Once that worker has gone, {@link hold} does, or {@link heartbeat}: call it more often than the worker's `lease` (30 s
 * unless set otherwise), or the task is tried again elsewhere, and the token is lost. Timeouts of the task count on.
 *
 * What is asked for at the same time goes in one call. Every call is repeated, for a while, where that makes sense, and counts once.
 * Errors: a {@link TqError} with the reason `LEASE_LOST` if the task is no longer the token's (it was answered, canceled with force,
 * timed out or given to somebody else), `MALFORMED_TOKEN` if it is none, and others as the contract has them.
 */
export class AsyncCompletionClient {
  readonly #options: AsyncCompletionOptions;
  readonly #respond: Next<ClientInterceptor, "respond">;
  readonly #heartbeat: Next<ClientInterceptor, "heartbeat">;
  readonly #answers: Gathering<TaskAnswer, AnswerStatus>;
  readonly #heartbeats: Gathering<Heartbeat, HeartbeatReply | "lost">;

  /** Made by {@link Client}. */
  constructor(options: AsyncCompletionOptions) {
    const { interceptors } = options.config;
    this.#options = options;
    this.#respond = composeInterceptors<ClientInterceptor, "respond">(interceptors, "respond", (input) =>
      this.#send(input),
    );
    this.#heartbeat = composeInterceptors<ClientInterceptor, "heartbeat">(interceptors, "heartbeat", (input) =>
      this.#beat(input),
    );
    const bounds = { maxItems: maxItemsPerCall, maxBytes: maxBytesPerCall };
    this.#answers = new Gathering({ ...bounds, bytesOf: answerBytes, call: (items) => this.#respondTasks(items) });
    this.#heartbeats = new Gathering({
      ...bounds,
      bytesOf: ({ details }) => overheadBytes + (details === undefined ? 0 : payloadBytes(details)),
      call: (items) => this.#heartbeatTasks(items),
    });
  }

  /** The task is done, with this result. One that was told before, by this token, is no error. */
  complete(taskToken: Uint8Array, result?: unknown, options: CallOptions = noOptions): Promise<void> {
    return this.#respond({ taskToken, answer: { kind: "completed", result }, options });
  }

  /** The attempt failed with `error`: an `ApplicationFailure` says how; any other is tried again as the retry policy has it. */
  fail(taskToken: Uint8Array, error: unknown, options: CallOptions = noOptions): Promise<void> {
    return this.#respond({ taskToken, answer: { kind: "failed", error }, options });
  }

  /** The task gave way to a cancel request. Without one it is a failure of type `Canceled`. */
  reportCancellation(taskToken: Uint8Array, details?: unknown, options: CallOptions = noOptions): Promise<void> {
    return this.#respond({ taskToken, answer: { kind: "canceled", details }, options });
  }

  /**
   * Says that the work goes on, and optionally how far it got, which the next attempt would find in `info.heartbeatDetails`.
   * Renews the lease.
   */
  heartbeat(taskToken: Uint8Array, details?: unknown, options: CallOptions = noOptions): Promise<HeartbeatReply> {
    return this.#heartbeat({ taskToken, details, options });
  }

  /**
   * Keeps a task until it is answered: makes heartbeats by itself, and has a signal that says when to stop working on it.
   *
   *     const held = client.asyncCompletion.hold(taskToken);
   *     await held.complete(await transcode(path, { signal: held.cancellationSignal }));
   *
   * @throws TqError `invalid_argument` naming an option that is wrong.
   */
  hold(taskToken: Uint8Array, options: AsyncHoldOptions = {}): AsyncHold {
    requireToken(taskToken);
    return new AsyncHold({ completion: this, taskToken, clock: this.#options.config.clock }, options);
  }

  async #send({ taskToken, answer, options }: RespondInput): Promise<void> {
    requireToken(taskToken);
    checkCallOptions(options);
    const { messageCodec } = this.#options.config;
    const message = create(TaskAnswerSchema, { token: taskToken, answer: this.#encode(answer) });
    if (messageCodec !== undefined) await messageCodec.encodeAnswer(message);
    const { result, error } = await this.#answers.add(message, options.signal);
    switch (result) {
      case AnswerResult.LEASE_LOST:
        throw lost();
      case AnswerResult.REFUSED:
        throw refused(error);
      case AnswerResult.ACCEPTED:
      case AnswerResult.ALREADY_ANSWERED:
      case AnswerResult.UNSPECIFIED:
    }
  }

  #encode(answer: AsyncAnswer): MessageInitShape<typeof TaskAnswerSchema>["answer"] & {} {
    const { payloadConverter } = this.#options.config;
    switch (answer.kind) {
      case "completed": {
        const { result } = answer;
        const value = result === undefined ? {} : { result: encodeField(result, "result", payloadConverter) };
        return { case: "completed", value };
      }
      case "failed":
        return { case: "failed", value: { failure: encodeFailure(answer.error, payloadConverter) } };
      case "canceled": {
        const { details } = answer;
        const value = details === undefined ? {} : { details: encodeField(details, "details", payloadConverter) };
        return { case: "canceled", value };
      }
    }
  }

  async #respondTasks(answers: readonly TaskAnswer[]) {
    const { config, services, retry } = this.#options;
    // One request id for all tries: it is what keeps a repeated answer from counting twice.
    const request = { namespace: config.namespace, requestId: config.newId(), answers: [...answers] };
    const { statuses } = await retrying(() => services.workers.respondTasks(request), retry, { call: "RespondTasks" });
    return statuses;
  }

  async #beat({ taskToken, details, options }: AsyncHeartbeatInput): Promise<HeartbeatReply> {
    requireToken(taskToken);
    checkCallOptions(options);
    const { payloadConverter, messageCodec } = this.#options.config;
    const heartbeat = create(HeartbeatSchema, { token: taskToken });
    if (details !== undefined) {
      const payload = encodeField(details, "details", payloadConverter);
      heartbeat.details =
        messageCodec === undefined ? payload : await messageCodec.encodePayload(payload, "a heartbeat");
    }
    const reply = await this.#heartbeats.add(heartbeat, options.signal);
    if (reply === "lost") throw lost();
    return reply;
  }

  async #heartbeatTasks(heartbeats: readonly Heartbeat[]): Promise<readonly (HeartbeatReply | "lost")[]> {
    const { config, services, retry } = this.#options;
    const request = { namespace: config.namespace, heartbeats: [...heartbeats] };
    const { lostTokens, cancelRequests } = await retrying(() => services.workers.heartbeatTasks(request), retry, {
      call: "HeartbeatTasks",
    });
    const isLost = new Set(lostTokens.map(keyOf));
    const reasons = new Map(cancelRequests.map(({ token, reason }) => [keyOf(token), reason]));
    return heartbeats.map(({ token }) => {
      const key = keyOf(token);
      if (isLost.has(key)) return "lost";
      return { cancelRequested: reasons.has(key), cancelReason: reasons.get(key) ?? "" };
    });
  }
}

function keyOf(token: Uint8Array): string {
  return Buffer.from(token.buffer, token.byteOffset, token.byteLength).toString("latin1");
}

function answerBytes({ answer }: TaskAnswer): number {
  switch (answer.case) {
    case "completed":
      return overheadBytes + (answer.value.result === undefined ? 0 : payloadBytes(answer.value.result));
    case "failed":
      // Its text is bounded.
      return (answer.value.failure?.details ?? []).reduce((sum, each) => sum + payloadBytes(each), 50_000);
    case "canceled":
    case "released":
    case undefined:
      return overheadBytes;
  }
}

function requireToken(token: unknown): void {
  if (ArrayBuffer.isView(token) && token.byteLength > 0) return;
  throw invalidField(
    "taskToken",
    `${shown(token)} is no token: give \`info.taskToken\` of the handler's context, as bytes`,
  );
}

function lost(): TqError {
  return new TqError({
    code: "failed_precondition",
    reason: "LEASE_LOST",
    message:
      "The task is no longer this token's: it was closed, or its lease ended and it was given to somebody else. " +
      "A lease lasts as long as its worker lives, or heartbeats come in time",
  });
}

function refused(error: ItemError | undefined): TqError {
  const { reason = "", field = "", message = "no reason was given" } = error ?? {};
  return new TqError({
    code: "invalid_argument",
    ...(reason !== "" && { reason: reason as ErrorReasonName }),
    message: `The server refused the answer: ${message}`,
    fields: field === "" ? [] : [{ field, description: message }],
  });
}
