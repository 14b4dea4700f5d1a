import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { AnswerResult, HeartbeatSchema, type ItemError, TaskAnswerSchema } from "@tq/proto";
import { type CallOptions, checkCallOptions } from "./call-options.ts";
import type { ClientConfig } from "./client-config.ts";
import { encodeFailure } from "./encode-failure.ts";
import { type ErrorReasonName, invalidField, TqError } from "./errors.ts";
import { shown } from "./option-checks.ts";
import { encodeField } from "./payload.ts";
import { type RetryContext, retryingUntil } from "./retry.ts";
import type { Services } from "./services.ts";

/** What a heartbeat hears. */
export interface HeartbeatReply {
  /** True once somebody asked for the task to be canceled: stop, and call {@link AsyncCompletionClient.reportCancellation}. */
  readonly cancelRequested: boolean;
  /** What was given as the reason of the cancel; empty if nothing. */
  readonly cancelReason: string;
}

/** What the completion of tasks from elsewhere needs. */
export interface AsyncCompletionOptions {
  readonly config: ClientConfig;
  readonly services: Services;
  readonly retry: RetryContext;
}

/**
 * Answers activities whose handlers left that to somebody else, with `Context.current().completeAsync()`: by the task's token
 * (`info.taskToken`), from any process, in any order. The token is the proof; nothing else is asked for.
 *
 * The task stays with its token as long as its lease does. The worker that ran the handler renews it while it lives, without
 * using a slot. Once that worker has gone, {@link heartbeat} does: call it more often than the worker's `lease` (30 s unless
 * set otherwise), or the task is tried again elsewhere, and the token is lost. Timeouts of the task count on.
 *
 * Every call is repeated, for a while, where that makes sense, and counts once. Errors: a {@link TqError} with the reason
 * `LEASE_LOST` if the task is no longer the token's (it was answered, canceled with force, timed out or given to somebody
 * else), `MALFORMED_TOKEN` if it is none, and others as the contract has them.
 */
export class AsyncCompletionClient {
  readonly #options: AsyncCompletionOptions;

  /** Made by {@link Client}. */
  constructor(options: AsyncCompletionOptions) {
    this.#options = options;
  }

  /** The task is done, with this result. One that was told before, by this token, is no error. */
  async complete(taskToken: Uint8Array, result?: unknown, options?: CallOptions): Promise<void> {
    const { payloadConverter } = this.#options.config;
    const value = result === undefined ? {} : { result: encodeField(result, "result", payloadConverter) };
    await this.#answer(taskToken, { case: "completed", value }, options);
  }

  /** The attempt failed with `error`: an `ApplicationFailure` says how; any other is tried again as the retry policy has it. */
  async fail(taskToken: Uint8Array, error: unknown, options?: CallOptions): Promise<void> {
    const failure = encodeFailure(error, this.#options.config.payloadConverter);
    await this.#answer(taskToken, { case: "failed", value: { failure } }, options);
  }

  /** The task gave way to a cancel request. Without one it is a failure of type `Canceled`. */
  async reportCancellation(taskToken: Uint8Array, details?: unknown, options?: CallOptions): Promise<void> {
    const { payloadConverter } = this.#options.config;
    const value = details === undefined ? {} : { details: encodeField(details, "details", payloadConverter) };
    await this.#answer(taskToken, { case: "canceled", value }, options);
  }

  /**
   * Says that the work goes on, and optionally how far it got, which the next attempt would find in `info.heartbeatDetails`.
   * Renews the lease.
   */
  async heartbeat(taskToken: Uint8Array, details?: unknown, options: CallOptions = {}): Promise<HeartbeatReply> {
    requireToken(taskToken);
    checkCallOptions(options);
    const { config, services, retry } = this.#options;
    const { namespace, payloadConverter, messageCodec } = config;
    const heartbeat = create(HeartbeatSchema, { token: taskToken });
    if (details !== undefined) {
      const payload = encodeField(details, "details", payloadConverter);
      heartbeat.details =
        messageCodec === undefined ? payload : await messageCodec.encodePayload(payload, "a heartbeat");
    }
    const request = { namespace, heartbeats: [heartbeat] };
    const { lostTokens, cancelRequests } = await retryingUntil(
      options.signal,
      (call) => services.workers.heartbeatTasks(request, call),
      retry,
      "HeartbeatTasks",
    );
    if (lostTokens.length > 0) throw lost();
    const [cancelRequest] = cancelRequests;
    return { cancelRequested: cancelRequest !== undefined, cancelReason: cancelRequest?.reason ?? "" };
  }

  async #answer(
    token: Uint8Array,
    answer: MessageInitShape<typeof TaskAnswerSchema>["answer"] & {},
    options: CallOptions = {},
  ): Promise<void> {
    requireToken(token);
    checkCallOptions(options);
    const { signal } = options;
    const { config, services, retry } = this.#options;
    const message = create(TaskAnswerSchema, { token, answer });
    if (config.messageCodec !== undefined) await config.messageCodec.encodeAnswer(message);
    // One request id for all tries: it is what keeps a repeated answer from counting twice.
    const request = { namespace: config.namespace, requestId: config.newId(), answers: [message] };
    const { statuses } = await retryingUntil(
      signal,
      (call) => services.workers.respondTasks(request, call),
      retry,
      "RespondTasks",
    );
    const [status] = statuses;
    switch (status?.result) {
      case AnswerResult.LEASE_LOST:
        throw lost();
      case AnswerResult.REFUSED:
        throw refused(status.error);
      case AnswerResult.ACCEPTED:
      case AnswerResult.ALREADY_ANSWERED:
      case AnswerResult.UNSPECIFIED:
      case undefined:
    }
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
