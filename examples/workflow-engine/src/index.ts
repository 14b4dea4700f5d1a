export { Engine, type EngineOptions } from "./engine.ts";
export type { Command, Decision, End, Event, Failure, HistoryRecord } from "./history.ts";
export { readLog } from "./log.ts";
export { NondeterminismError } from "./replay.ts";
export { WorkflowClient } from "./workflow-client.ts";
export {
  type Activities,
  ActivityError,
  type ActivityOptions,
  all,
  first,
  Future,
  type Steps,
  type Workflow,
  type WorkflowArgs,
  type WorkflowFunction,
  type WorkflowTable,
} from "./workflow.ts";
