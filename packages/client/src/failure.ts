import { durationMs } from "@bufbuild/protobuf/wkt";
import type { Failure } from "@tq/proto";
import { encodePayload } from "./payload.ts";
import { defaultPayloadConverter, type PayloadConverter } from "./payload-converter.ts";

/** Why an attempt failed, as a plain value. */
export interface TaskFailure {
  /**
   * What kind. The server's own are `WorkerLost`, `ScheduleToStart`, `StartToClose`, `ScheduleToClose` and `Heartbeat`;
   * the others are the handler's.
   */
  readonly type: string;
  readonly message: string;
  /** True: not tried again, whatever the retry policy says. */
  readonly nonRetryable: boolean;
  /** What the handler added. Empty if nothing. */
  readonly details: readonly unknown[];
  /** The handler's stack; empty if there was none. */
  readonly stackTrace: string;
  readonly cause: TaskFailure | undefined;
  /** The wait before the next attempt that the handler asked for, in milliseconds. */
  readonly nextRetryDelayMs: number | undefined;
}

/** The plain value of the contract's failure message, whose payloads the codecs have decoded. */
export function decodeFailure(failure: Failure, converter: PayloadConverter): TaskFailure {
  const { message, stackTrace } = failureText(failure);
  return {
    type: failure.type,
    message,
    nonRetryable: failure.nonRetryable,
    details: failure.details.map((detail) => converter.fromPayload(detail)),
    stackTrace,
    cause: failure.cause === undefined ? undefined : decodeFailure(failure.cause, converter),
    nextRetryDelayMs: failure.nextRetryDelay === undefined ? undefined : durationMs(failure.nextRetryDelay),
  };
}

/** What stands in the place of a message that codecs are to hide. */
const hiddenMessage = "Encoded failure";

/** Moves the message and the stack of a failure into a payload, where codecs reach them, once. Not those of its cause. */
export function hideFailureText(failure: Failure): void {
  if (failure.encodedAttributes !== undefined) return;
  const { message, stackTrace } = failure;
  failure.encodedAttributes = encodePayload({ message, stackTrace });
  failure.message = hiddenMessage;
  failure.stackTrace = "";
}

/** The message and the stack of a failure, wherever they stand. */
function failureText(failure: Failure): Pick<TaskFailure, "message" | "stackTrace"> {
  if (failure.encodedAttributes === undefined) return failure;
  const hidden = defaultPayloadConverter.fromPayload(failure.encodedAttributes);
  const { message, stackTrace } = (hidden ?? {}) as Partial<Record<string, unknown>>;
  return {
    message: typeof message === "string" ? message : failure.message,
    stackTrace: typeof stackTrace === "string" ? stackTrace : failure.stackTrace,
  };
}
