export {
  ActivityClient,
  type ActivityArgs,
  type ActivityCallOptions,
  type ActivityName,
  type ActivityOptions,
  type ActivityResult,
} from "./activity.ts";
export type { AddAllOptions, AddAllSummary } from "./add-all.ts";
export { ApplicationFailure, type ApplicationFailureOptions, ensureApplicationFailure } from "./application-failure.ts";
export { checkNewTask } from "./check-new-task.ts";
export { AsyncCompletionClient } from "./async-completion.ts";
export { AsyncHold, type AsyncHoldOptions } from "./async-hold.ts";
export type { CallOptions, CancelOptions, ListOptions, ResultOptions } from "./call-options.ts";
export { Client } from "./client.ts";
export type {
  BackPressureOptions,
  ClientConfig,
  ClientOptions,
  ClientRetryOptions,
  CoalescingOptions,
} from "./client-config.ts";
export { type Clock, sleep, systemClock, type Timer } from "./clock.ts";
export { TaskCanceledError, TaskClosedError, TaskFailedError, TaskTimedOutError } from "./closed-errors.ts";
export { type CompressionAlgorithm, CompressionCodec, type CompressionCodecOptions } from "./compression-codec.ts";
export { type Duration, type DurationText, durationToMs, parseDuration } from "./duration.ts";
export { EncryptionCodec, type EncryptionCodecOptions, type EncryptionKey } from "./encryption-codec.ts";
export {
  type ErrorReasonName,
  type FieldViolation,
  toTqError,
  TqError,
  type TqErrorCode,
  type TqErrorParts,
} from "./errors.ts";
export type { TaskFailure } from "./failure.ts";
export type {
  AddInput,
  AsyncAnswer,
  AsyncHeartbeatInput,
  CancelInput,
  ClientInterceptor,
  GetInput,
  HeartbeatReply,
  InterceptorInput,
  InterceptorOutput,
  ListInput,
  Next,
  RespondInput,
  ResultInput,
} from "./interceptors.ts";
export { type LogFields, type Logger, stderrLogger } from "./logger.ts";
export { createIdSource, type IdSource } from "./ids.ts";
export type { Fallback, NewTask, OnClose, RetryPolicy, TaskKind, TaskOptions } from "./new-task.ts";
export { decodePayload, encodePayload } from "./payload.ts";
export type { PayloadCodec } from "./payload-codec.ts";
export {
  BinaryPayloadConverter,
  CompositePayloadConverter,
  defaultPayloadConverter,
  defaultPayloadConverters,
  JsonPayloadConverter,
  type PartialPayloadConverter,
  type PayloadConverter,
  unconvertible,
  UndefinedPayloadConverter,
} from "./payload-converter.ts";
export { ProtobufPayloadConverter } from "./protobuf-converter.ts";
export type { RetryConfig } from "./retry.ts";
export type { Services } from "./services.ts";
export { TaskClient } from "./task-client.ts";
export type {
  ClosedStateName,
  ClosedTask,
  FailedAttemptDescription,
  FoundTasks,
  TaskDescription,
  TaskOutcome,
  TaskStateName,
  WaitingReason,
} from "./task-description.ts";
export type { TaskFilter } from "./task-filter.ts";
export type { AddedTaskHandle, AddWarningName, CancelStatusName, TaskHandle } from "./task-handle.ts";
export { defaultAddress, type HttpVersion } from "./transport.ts";
export type { WithArgs } from "./with-args.ts";
export {
  type WorkflowArgs,
  type WorkflowCallOptions,
  WorkflowClient,
  type WorkflowName,
  type WorkflowOptions,
  type WorkflowResult,
} from "./workflow.ts";
