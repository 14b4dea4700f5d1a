import { invalidField, type KnownOptions, refuseUnknownOptions } from "@tq/client";
import {
  type ActivityHandler,
  activityHandlers,
  type AnyWorkflowHandler,
  workflowHandlers,
  type WorkflowHandlers,
} from "./handlers.ts";
import {
  compileSessionConfig,
  type SessionConfig,
  type SessionOptions,
  sessionOptions,
  slotCount,
} from "./session-options.ts";

/** Options of {@link Worker.create}. Only `taskQueue` and handlers of some kind are required. */
export interface WorkerOptions extends SessionOptions {
  /** The queue to take tasks from: of its two kinds, those that there are handlers for. */
  readonly taskQueue: string;
  /** Activities by name: an object or module whose functions they are. What is not a function is passed over. */
  readonly activities?: object;
  /** Workflow handlers by type. */
  readonly workflows?: WorkflowHandlers;
  /** Activities that run at once at most, 1 to 10,000. Default 100. */
  readonly maxConcurrentActivityTaskExecutions?: number;
  /** Workflow tasks that run at once at most, 1 to 10,000. Default 40: they are short, and hold up their workflow only. */
  readonly maxConcurrentWorkflowTaskExecutions?: number;
}

/** {@link WorkerOptions}, complete and checked. */
export interface WorkerConfig extends SessionConfig {
  readonly taskQueue: string;
  readonly activities: ReadonlyMap<string, ActivityHandler>;
  readonly workflows: ReadonlyMap<string, AnyWorkflowHandler>;
  readonly activitySlots: number;
  readonly workflowSlots: number;
}

const workerOptions: KnownOptions<WorkerOptions> = {
  taskQueue: true,
  activities: true,
  workflows: true,
  maxConcurrentActivityTaskExecutions: true,
  maxConcurrentWorkflowTaskExecutions: true,
  ...sessionOptions,
};

/**
 * Checks the options and fills in the defaults, once.
 *
 * @throws TqError `invalid_argument` naming the option.
 */
export function compileWorkerConfig(options: WorkerOptions): WorkerConfig {
  refuseUnknownOptions(options, workerOptions);
  const { taskQueue } = options;
  if (typeof taskQueue !== "string" || taskQueue === "")
    throw invalidField("taskQueue", "a worker needs the name of a queue");
  const activities = activityHandlers(options.activities ?? {});
  const workflows = workflowHandlers(options.workflows ?? {});
  if (activities.size + workflows.size === 0) {
    throw invalidField("activities", "a worker needs a handler: give it `activities`, `workflows` or both");
  }
  return Object.freeze<WorkerConfig>({
    taskQueue,
    activities,
    workflows,
    activitySlots: slotCount(options.maxConcurrentActivityTaskExecutions ?? 100, "maxConcurrentActivityTaskExecutions"),
    workflowSlots: slotCount(options.maxConcurrentWorkflowTaskExecutions ?? 40, "maxConcurrentWorkflowTaskExecutions"),
    ...compileSessionConfig(options),
  });
}
