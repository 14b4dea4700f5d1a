// What the worker SDK and the command line share with the client. It is nobody else's: it may change with any version.

export { activityTask } from "./activity.ts";
export { type CallSite, invalidField } from "./errors.ts";
export { ChurnMap } from "./churn-map.ts";
export { encodeFailure } from "./encode-failure.ts";
export { isA } from "./thrown.ts";
export { decodeFailure } from "./failure.ts";
export { FailingCalls } from "./failing-calls.ts";
export { composeInterceptors } from "./interceptors.ts";
export { logLine, withFields } from "./logger.ts";
export { durationMessage, encodeNewTask } from "./new-task.ts";
export { MessageCodec, type MessageCodecOptions } from "./message-codec.ts";
export { checked, encodeField, encodeInput, payloadBytes } from "./payload.ts";
export { CodecChain, mayDecodeLater, refuseCoded } from "./payload-codec.ts";
export { backoffMs, isRetryable } from "./retry.ts";
export { describeClosedTask, describeTask, kindName } from "./task-description.ts";
export { extractTraceContext, injectTraceHeaders } from "./trace-headers.ts";
export { hasSdk } from "./tracing.ts";
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
export { withMethods } from "./with-methods.ts";
