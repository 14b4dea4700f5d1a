export {
  ActivityClient,
  type ActivityArgs,
  type ActivityCallOptions,
  type ActivityName,
  type ActivityOptions,
  type ActivityResult,
  activityTask,
} from "./activity.ts";
export type { AddAllOptions, AddAllSummary } from "./add-all.ts";
export { ApplicationFailure, type ApplicationFailureOptions, ensureApplicationFailure } from "./application-failure.ts";
export { AsyncCompletionClient, type HeartbeatReply } from "./async-completion.ts";
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
  type CallSite,
  type ErrorReasonName,
  type FieldViolation,
  invalidField,
  toTqError,
  TqError,
  type TqErrorCode,
  type TqErrorParts,
} from "./errors.ts";
export { encodeFailure } from "./encode-failure.ts";
export { isA } from "./thrown.ts";
export { decodeFailure, type TaskFailure } from "./failure.ts";
export {
  type AddInput,
  type AsyncAnswer,
  type AsyncHeartbeatInput,
  type CancelInput,
  type ClientInterceptor,
  composeInterceptors,
  type GetInput,
  type HeartbeatReply,
  type InterceptorInput,
  type InterceptorOutput,
  type ListInput,
  type Next,
  type RespondInput,
  type ResultInput,
} from "./interceptors.ts";
export { type LogFields, type Logger, logLine, stderrLogger, withFields } from "./logger.ts";
export { createIdSource, type IdSource } from "./ids.ts";
export {
  durationMessage,
  encodeNewTask,
  type Fallback,
  type NewTask,
  type OnClose,
  type RetryPolicy,
  type TaskKind,
  type TaskOptions,
} from "./new-task.ts";
export { MessageCodec, type MessageCodecOptions } from "./message-codec.ts";
export { decodePayload, encodeField, encodeInput, encodePayload, payloadBytes } from "./payload.ts";
export { CodecChain, mayDecodeLater, refuseCoded, type PayloadCodec } from "./payload-codec.ts";
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
export { backoffMs, isRetryable, type RetryConfig } from "./retry.ts";
export type { Services } from "./services.ts";
export { TaskClient } from "./task-client.ts";
export {
  type ClosedStateName,
  type ClosedTask,
  describeClosedTask,
  describeTask,
  kindName,
  type FailedAttemptDescription,
  type FoundTasks,
  type TaskDescription,
  type TaskOutcome,
  type TaskStateName,
  type WaitingReason,
} from "./task-description.ts";
export type { TaskFilter } from "./task-filter.ts";
export type { AddedTaskHandle, AddWarningName, CancelStatusName, TaskHandle } from "./task-handle.ts";
export { extractTraceContext, injectTraceHeaders } from "./trace-headers.ts";
export { defaultAddress, type HttpVersion } from "./transport.ts";
export { type KnownOptions, refuseUnknownOptions } from "./known-options.ts";
export {
  isThenable,
  optionalBoolean,
  optionalFunction,
  optionalNumber,
  optionalSignal,
  requireName,
  requireRecord,
  requireShort,
  requireText,
  shown,
} from "./option-checks.ts";
export { inOptionNames, optionName } from "./option-names.ts";
export type { WithArgs } from "./with-args.ts";
export { withMethods } from "./with-methods.ts";
export {
  type WorkflowArgs,
  type WorkflowCallOptions,
  WorkflowClient,
  type WorkflowName,
  type WorkflowOptions,
  type WorkflowResult,
} from "./workflow.ts";
