import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { FailureSchema, type ClosedTask, type Failure, type Outcome } from "@tq/proto";
import type { ClosedTaskRecord, FailureRecord, OutcomeRecord } from "@tq/storage";
import { bounds } from "../validation/bounds.ts";
import { decodePayload } from "./payload-codec.ts";
import { toTaskQueueRef } from "./task-queue.ts";
import { toStateMessage } from "./task-state.ts";
import { toTimestamp } from "./time.ts";

/** A failure as a message. One that the server itself made has nothing encoded. */
function toFailureMessage(record: FailureRecord): Failure {
  if (record.encoded.length > 0) return fromBinary(FailureSchema, record.encoded);
  return create(FailureSchema, { type: record.type, message: record.message, nonRetryable: record.nonRetryable });
}

/**
 * The failure of an attempt, as a message that is said beside its task: of a large one only what people read first. How
 * the task closed says it whole.
 */
export function toAttemptFailureMessage(record: FailureRecord): Failure {
  const failure = toFailureMessage(record);
  const isLarge = (): boolean => toBinary(FailureSchema, failure).length > bounds.attemptFailureBytes;
  if (record.encoded.length <= bounds.attemptFailureBytes) return failure;
  failure.details = [];
  delete failure.cause;
  delete failure.$unknown;
  if (isLarge()) {
    failure.stackTrace = "";
    delete failure.encodedAttributes;
  }
  if (isLarge()) failure.message = cutText(failure.message, bounds.attemptFailureBytes - besideMessageBytes);
  return failure;
}

/** More than everything in a failure takes but its message, details, cause and stack trace. */
const besideMessageBytes = 1_024;

/** The beginning of a text, in so many bytes of UTF-8. */
function cutText(text: string, maxBytes: number): string {
  return Buffer.from(text).subarray(0, maxBytes).toString();
}

/** An outcome as a message. */
export function toOutcomeMessage(record: OutcomeRecord): Outcome {
  const message: Outcome = {
    $typeName: "tq.v1.Outcome",
    state: toStateMessage(record.state),
    closedAt: toTimestamp(record.closedAt),
  };
  if (record.result !== undefined) message.result = decodePayload(record.result);
  if (record.failure !== undefined) message.failure = toFailureMessage(record.failure);
  if (record.heartbeatDetails !== undefined) message.heartbeatDetails = decodePayload(record.heartbeatDetails);
  return message;
}

/** What a workflow task says about the task that closed, as a message. */
export function toClosedTaskMessage(record: ClosedTaskRecord): ClosedTask {
  const message: ClosedTask = {
    $typeName: "tq.v1.ClosedTask",
    id: record.id,
    run: record.run,
    type: record.type,
    taskQueue: toTaskQueueRef({ name: record.queueName, kind: record.queueKind }),
    outcome: toOutcomeMessage(record.outcome),
    attempts: record.attempts,
  };
  if (record.context !== undefined) message.context = decodePayload(record.context);
  return message;
}
