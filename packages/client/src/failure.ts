import { durationMs } from "@bufbuild/protobuf/wkt";
import type { Failure } from "@tq/proto";
import type { PayloadConverter } from "./payload.ts";

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

/** The plain value of the contract's failure message. */
export function decodeFailure(failure: Failure, converter: PayloadConverter): TaskFailure {
  return {
    type: failure.type,
    message: failure.message,
    nonRetryable: failure.nonRetryable,
    details: failure.details.map((detail) => converter.fromPayload(detail)),
    stackTrace: failure.stackTrace,
    cause: failure.cause === undefined ? undefined : decodeFailure(failure.cause, converter),
    nextRetryDelayMs: failure.nextRetryDelay === undefined ? undefined : durationMs(failure.nextRetryDelay),
  };
}
