import type { TaskKind } from "@tq/client";
import { invalidField, type KnownOptions, refuseUnknownOptions, requireName } from "@tq/client/internal";
import {
  compileSessionConfig,
  maxQueueNameBytes,
  type SessionConfig,
  type SessionOptions,
  sessionOptions,
  slotCount,
} from "./session-options.ts";

/** Options of {@link TaskPoller.create}. `taskQueue`, `kind` and `types` are required. */
export interface TaskPollerOptions extends SessionOptions {
  /** The queue to take tasks from. */
  readonly taskQueue: string;
  /** Which of its two kinds. */
  readonly kind: TaskKind;
  /** Types of the tasks to take, at least one: a task of another type is left to whoever has it. */
  readonly types: readonly string[];
  /** Tasks held at once at most, 1 to 10,000: those of all batches that are not answered. Default 100, as a worker's. */
  readonly maxConcurrentTasks?: number;
}

/** {@link TaskPollerOptions}, complete and checked. */
export interface TaskPollerConfig extends SessionConfig {
  readonly taskQueue: string;
  readonly kind: TaskKind;
  readonly types: readonly string[];
  readonly maxConcurrentTasks: number;
}

const taskPollerOptions: KnownOptions<TaskPollerOptions> = {
  taskQueue: true,
  kind: true,
  types: true,
  maxConcurrentTasks: true,
  ...sessionOptions,
};

/**
 * Checks the options and fills in the defaults, once.
 *
 * @throws TqError `invalid_argument` naming the option.
 */
export function compileTaskPollerConfig(options: TaskPollerOptions): TaskPollerConfig {
  refuseUnknownOptions(options, taskPollerOptions);
  const { taskQueue, kind, types } = options;
  requireName(taskQueue, "taskQueue", maxQueueNameBytes);
  if (kind !== "activity" && kind !== "workflow") throw invalidField("kind", 'write "activity" or "workflow"');
  const isNamed = Array.isArray(types) && types.length > 0 && types.every((type: unknown) => typeof type === "string");
  if (!isNamed || types.includes(""))
    throw invalidField("types", "a task poller needs the types of the tasks that it takes, at least one");
  return Object.freeze<TaskPollerConfig>({
    taskQueue,
    kind,
    types: Object.freeze(types.slice()),
    maxConcurrentTasks: slotCount(options.maxConcurrentTasks ?? 100, "maxConcurrentTasks"),
    ...compileSessionConfig(options),
  });
}
