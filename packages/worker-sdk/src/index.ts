export { type ActivityScheduler, commands, type WorkflowCommand, type WorkflowTimer } from "./commands.ts";
export { Context, type TaskInfo } from "./context.ts";
export {
  ApplicationFailure,
  type ApplicationFailureOptions,
  type CancellationReason,
  CancelledFailure,
} from "./failure.ts";
export type { WorkflowCompletion, WorkflowHandler, WorkflowHandlers, WorkflowTask } from "./handlers.ts";
export { type LogFields, type Logger, stderrLogger } from "./logger.ts";
export type { StateListener, WorkerState } from "./lifecycle.ts";
export { Worker, type WorkerStatus } from "./worker.ts";
export type { WorkerConfig, WorkerOptions } from "./worker-options.ts";
