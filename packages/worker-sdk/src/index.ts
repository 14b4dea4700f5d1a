export {
  activityInfo,
  cancellationSignal,
  cancelled,
  getClient,
  getMetricMeter,
  heartbeat,
  log,
  sleep,
} from "./activity-functions.ts";
export {
  type ActivityScheduler,
  checkCommand,
  commands,
  type WorkflowCommand,
  type WorkflowTimer,
} from "./commands.ts";
export { CompleteAsyncError } from "./complete-async-error.ts";
export { Context, type ContextParts, runWithContext, type TaskInfo } from "./context.ts";
export {
  type ActivityDefaults,
  type ActivityDefinitionOptions,
  defineActivity,
  type DefinedActivity,
  type InputIssue,
} from "./define-activity.ts";
export {
  ApplicationFailure,
  type ApplicationFailureOptions,
  type CancellationReason,
  CancelledFailure,
  ensureApplicationFailure,
} from "./failure.ts";
export { type CacheStatus, HandlerCache, type HandlerCacheOptions, type TaskCache } from "./handler-cache.ts";
export type {
  ActivityExecuteInput,
  ActivityInboundCallsInterceptor,
  ActivityInterceptors,
  ActivityInterceptorsFactory,
  ActivityOutboundCallsInterceptor,
  HeartbeatInput,
  ScheduleInput,
  WorkerInterceptors,
  WorkflowInboundCallsInterceptor,
  WorkflowInterceptors,
  WorkflowInterceptorsFactory,
  WorkflowOutboundCallsInterceptor,
  WorkflowTaskExecuteInput,
} from "./interceptors.ts";
export { ReleaseToFallback } from "./release-to-fallback.ts";
export type { WorkflowCompletion, WorkflowHandler, WorkflowHandlers, WorkflowTask } from "./handlers.ts";
export {
  type ShutdownOnSignalsOptions,
  shutdownOnSignals,
  type SignaledProcess,
  type Stoppable,
} from "./shutdown-on-signals.ts";
export { threadActivity, type ThreadActivity, type ThreadActivityOptions } from "./thread-activity.ts";
export type { ShutdownReport } from "./lease-session.ts";
export { type LogFields, type Logger, stderrLogger } from "./logger.ts";
export type { AnswerOutcome, AnswerOutcomeStatus, LeasedTask } from "./leased-task.ts";
export type { StateListener, WorkerState } from "./lifecycle.ts";
export type { BatchAnswer, TaskBatch } from "./task-batch.ts";
export { TaskPoller, type TaskPollerStatus } from "./task-poller.ts";
export type { TaskPollerConfig, TaskPollerOptions } from "./task-poller-options.ts";
export type { SessionConfig, SessionOptions } from "./session-options.ts";
export { Worker, type WorkerStatus } from "./worker.ts";
export type { WorkerConfig, WorkerOptions } from "./worker-options.ts";
export { type ResourceReader, type ResourceUsage, systemResources } from "./resources.ts";
export type {
  ActivitySlotInfo,
  CustomSlotSupplier,
  FixedSizeSlotSupplier,
  ResourceBasedSlotOptions,
  ResourceBasedSlotsForType,
  ResourceBasedTunerOptions,
  SlotInfo,
  SlotMarkUsedContext,
  SlotPermit,
  SlotReleaseContext,
  SlotReserveContext,
  SlotSupplier,
  WorkflowSlotInfo,
} from "./slot-supplier.ts";
export type { ResourceBasedTuner, TunerHolder, WorkerTuner } from "./tuner.ts";
