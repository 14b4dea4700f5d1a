// Makes answers. Whatever a handler returned or threw, there is one: nothing here throws.

import { create } from "@bufbuild/protobuf";
import { type PayloadConverter, type TaskKind, TqError } from "@tq/client";
import { checked, mayDecodeLater, type MessageCodec, payloadBytes } from "@tq/client/internal";
import { type ItemError, type Payload, type TaskAnswer, TaskAnswerSchema, type TaskCompleted } from "@tq/proto";
import { encodeCommand, type WorkflowCommand } from "./commands.ts";
import { ApplicationFailure, type CancelledFailure, encodeFailure, isA, isCancellation } from "./failure.ts";
import type { WorkflowCompletion } from "./handlers.ts";
import type { HeldTask } from "./held-task.ts";
import { ReleaseToFallback } from "./release-to-fallback.ts";
import type { Logger } from "./logger.ts";

/** Written out, since `create` takes longer than all else that is done about an answer. */
function taskAnswer(token: Uint8Array, answer: TaskAnswer["answer"]): TaskAnswer {
  return { $typeName: "tq.v1.TaskAnswer", token, answer };
}

/** The contract's bound on a result. */
const maxResultBytes = 2 * 1024 * 1024;

/**
 * A handler returned. A result or command that cannot travel is a failure that says so. `outgoing` has the last word on each
 * command.
 */
export function completedAnswer(
  held: HeldTask,
  returned: unknown,
  kind: TaskKind,
  converter: PayloadConverter,
  outgoing: (command: WorkflowCommand) => WorkflowCommand = (command) => command,
): TaskAnswer {
  try {
    const { result, commands = [] } = kind === "workflow" ? completionOf(returned) : { result: returned };
    const payload = result === undefined ? undefined : encodeResult(result, converter);
    const value: TaskCompleted = {
      $typeName: "tq.v1.TaskCompleted",
      commands: commands.map((command) => encodeCommand(outgoing(command), converter)),
    };
    if (payload !== undefined) value.result = payload;
    return taskAnswer(held.task.token, { case: "completed", value });
  } catch (error) {
    return failedAnswer(held, error, converter);
  }
}

/**
 * A handler threw. If it did so because its signal was aborted, that is no failure of its own: the task is canceled if
 * that was what was asked for, and given back if the worker is shutting down. Nor is it one to give the task to its fallback.
 */
export function thrownAnswer(held: HeldTask, thrown: unknown, converter: PayloadConverter): TaskAnswer {
  if (isA(thrown, ReleaseToFallback)) return releasedAnswer(held.task.token, thrown.message, true);
  if (isCancellation(thrown, held.signal)) {
    const { reason, message } = held.signal.reason as CancelledFailure;
    if (held.isCancelRequested) return canceledAnswer(held.task.token);
    if (reason === "WORKER_SHUTDOWN") return releasedAnswer(held.task.token, message);
    // As the server says it, should it not have said so before.
    if (reason === "TIMED_OUT")
      return failedAnswer(held, new ApplicationFailure({ message, type: "StartToClose" }), converter);
  }
  return failedAnswer(held, thrown, converter);
}

/** An attempt failed. */
export function failedAnswer(held: HeldTask, thrown: unknown, converter: PayloadConverter): TaskAnswer {
  const failure = encodeFailure(thrown, converter);
  return create(TaskAnswerSchema, { token: held.task.token, answer: { case: "failed", value: { failure } } });
}

/** The attempt gave way to a cancel request. */
export function canceledAnswer(token: Uint8Array): TaskAnswer {
  return create(TaskAnswerSchema, { token, answer: { case: "canceled", value: {} } });
}

/**
 * The answer as the codecs make it. If they cannot, it is a failure that says so; it is tried again, unless the codec says
 * that it will never work. Its text names no values, and goes through no codec. Never throws.
 */
export async function encodedAnswer(
  held: HeldTask,
  answer: TaskAnswer,
  codec: MessageCodec,
  logger: Logger,
): Promise<TaskAnswer> {
  try {
    await codec.encodeAnswer(answer);
    return answer;
  } catch (error) {
    logger.error({ error }, "A payload codec cannot encode an answer");
    const why = error instanceof TqError ? error.code : "unknown";
    const message = `A payload codec of the worker cannot encode the answer (${why}): see the worker's log`;
    const failure = { type: "UnencodableAnswer", message, nonRetryable: !mayDecodeLater(error) };
    return create(TaskAnswerSchema, { token: held.task.token, answer: { case: "failed", value: { failure } } });
  }
}

/** The answer, or a failure that says so if its result is over what the contract takes. */
export function checkedAnswer(held: HeldTask, answer: TaskAnswer, converter: PayloadConverter): TaskAnswer {
  if (answer.answer.case !== "completed") return answer;
  const bytes = payloadSize(answer.answer.value.result);
  if (bytes <= maxResultBytes) return answer;
  const message = `The handler returned ${bytes} bytes; a result has at most ${maxResultBytes}. Store it elsewhere and return where.`;
  return failedAnswer(held, ApplicationFailure.nonRetryable(message, "ResultTooLarge"), converter);
}

/** The worker gives a delivery back. */
export function releasedAnswer(token: Uint8Array, reason: string, toFallback = false): TaskAnswer {
  const value = { reason: reason.slice(0, 300), toFallback };
  return create(TaskAnswerSchema, { token, answer: { case: "released", value } });
}

/**
 * The server refused an answer, and the lease stays: what to answer instead. Work that was done but cannot be told is a
 * failure; a failure that cannot be told is told without its particulars; after that the task is given back.
 */
export function answerAfterRefusal(
  held: HeldTask,
  refused: TaskAnswer,
  error: Pick<ItemError, "reason" | "field" | "message">,
  kind: TaskKind,
): TaskAnswer | undefined {
  const what = [error.reason, error.field, error.message].filter((part) => part !== "").join(": ");
  switch (refused.answer.case) {
    case "completed":
    case "canceled":
      return failedWith(held, `The server refused the answer: ${what}`, kind === "activity");
    case "failed":
      // The plain failure below was refused in its turn.
      if (refused.answer.value.failure?.type === "AnswerRefused")
        return releasedAnswer(held.task.token, `answer refused: ${what}`);
      return failedWith(
        held,
        `The server refused the failure: ${what}`,
        refused.answer.value.failure?.nonRetryable === true,
      );
    case "released":
    case undefined:
      return undefined;
  }
}

/** About how many bytes an answer takes on the wire. */
export function answerBytes({ answer }: TaskAnswer): number {
  switch (answer.case) {
    case "completed": {
      let bytes = 100 + payloadSize(answer.value.result);
      // Mostly the commands' payloads; the rest of a command is small and bounded.
      for (const { command } of answer.value.commands) {
        bytes += 400;
        const input =
          command.case === "startTimer"
            ? command.value.input
            : command.case === "cancelTask"
              ? []
              : command.value?.task?.input;
        for (const payload of input ?? []) bytes += payloadSize(payload);
      }
      return bytes;
    }
    case "failed":
      return 1_000 + (answer.value.failure?.details ?? []).reduce((bytes, detail) => bytes + payloadSize(detail), 0);
    case "canceled":
    case "released":
    case undefined:
      return 200;
  }
}

function payloadSize(payload: Payload | undefined): number {
  return payload === undefined ? 0 : payloadBytes(payload);
}

/** Never tried again for an activity, whose work would be done twice for the same end; an engine's code may be mended meanwhile. */
function failedWith(held: HeldTask, message: string, nonRetryable: boolean): TaskAnswer {
  const failure = { type: "AnswerRefused", message: message.slice(0, 2_000), nonRetryable };
  return create(TaskAnswerSchema, { token: held.task.token, answer: { case: "failed", value: { failure } } });
}

function completionOf(returned: unknown): WorkflowCompletion {
  if (returned === undefined || returned === null) return {};
  if (typeof returned !== "object") {
    throw ApplicationFailure.nonRetryable(
      `A workflow handler returns { commands, result } or nothing, not ${typeof returned}`,
      "InvalidCompletion",
    );
  }
  return returned;
}

function encodeResult(result: unknown, converter: PayloadConverter): Payload {
  try {
    return checked(converter.toPayload(result));
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new ApplicationFailure({
      message: `The handler returned something that cannot be serialised: ${why}`,
      type: "UnserializableResult",
      nonRetryable: true,
      cause,
    });
  }
}
