import {
  invalidField,
  type KnownOptions,
  optionalBoolean,
  optionalFunction,
  optionalNumber,
  refuseUnknownOptions,
  requireName,
  requireRecord,
} from "@tq/client/internal";
import {
  type ActivityHandler,
  activityHandlers,
  type AnyWorkflowHandler,
  workflowHandlers,
  type WorkflowHandlers,
} from "./handlers.ts";
import type { HandlerCacheOptions } from "./handler-cache.ts";
import type { WorkerInterceptors } from "./interceptors.ts";
import {
  compileSessionConfig,
  maxQueueNameBytes,
  type SessionConfig,
  type SessionOptions,
  sessionOptions,
  slotCount,
} from "./session-options.ts";
import { compileTuner, type TunerConfig, type WorkerTuner } from "./tuner.ts";
import { threadPoolsOf } from "./thread-activity.ts";
import type { ThreadPool } from "./thread-pool.ts";

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
  /**
   * Slots that depend on how the process and its machine do, or that the author's own code hands out, for either kind or
   * both; instead of the two numbers above.
   */
  readonly tuner?: WorkerTuner;
  /**
   * Activities that this worker begins per second at most; a fraction will do, as 0.5. Evenly: a tenth of a second's at
   * once. It asks for none that it could not begin. Default no limit.
   */
  readonly maxActivitiesPerSecond?: number;
  /**
   * Activities per second that the server is to dispatch at most from each queue that this worker polls, to all its
   * workers together. The smallest that live workers ask for counts, unless an operator has set a rate. Default no limit.
   */
  readonly maxTaskQueueActivitiesPerSecond?: number;
  /**
   * True: the worker has a queue of its own as well, for what has to run in this very process (`info.processTaskQueue` of a
   * handler's context, `processTaskQueue` of the worker's `config`). It shares the slots. Nobody polls it once the process
   * has gone, so give tasks that are added to it a fallback. Default false.
   */
  readonly processQueue?: boolean;
  /** Stand between the worker and its handlers; of several the first is the outermost. Default none. */
  readonly interceptors?: WorkerInterceptors;
  /**
   * Serial keys that `Context.cache` keeps something for at most; the least recently used makes room. 0 keeps nothing.
   * Default 1,000.
   */
  readonly maxCachedWorkflows?: number;
  /** What all that is kept in `Context.cache` may weigh together, as `weighCached` has it. Default no limit. */
  readonly maxCachedBytes?: number;
  /** About how many bytes a value in `Context.cache` takes. Required with `maxCachedBytes`. */
  readonly weighCached?: (value: unknown) => number;
}

/** {@link WorkerOptions}, complete and checked. */
export interface WorkerConfig extends SessionConfig {
  readonly taskQueue: string;
  readonly activities: ReadonlyMap<string, ActivityHandler>;
  /** Those of activities that run in threads. */
  readonly threadPools: ReadonlySet<ThreadPool>;
  readonly workflows: ReadonlyMap<string, AnyWorkflowHandler>;
  readonly slots: TunerConfig;
  readonly maxActivitiesPerSecond: number | undefined;
  readonly maxTaskQueueActivitiesPerSecond: number | undefined;
  /** The worker's own queue, if it has one. */
  readonly processTaskQueue: string | undefined;
  readonly interceptors: WorkerInterceptors;
  readonly cache: HandlerCacheOptions;
}

const workerOptions: KnownOptions<WorkerOptions> = {
  taskQueue: true,
  activities: true,
  workflows: true,
  maxConcurrentActivityTaskExecutions: true,
  maxConcurrentWorkflowTaskExecutions: true,
  tuner: true,
  maxActivitiesPerSecond: true,
  maxTaskQueueActivitiesPerSecond: true,
  processQueue: true,
  interceptors: true,
  maxCachedWorkflows: true,
  maxCachedBytes: true,
  weighCached: true,
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
  requireName(taskQueue, "taskQueue", maxQueueNameBytes);
  optionalBoolean(options.processQueue, "processQueue");
  optionalFunction(options.weighCached, "weighCached");
  const activities = activityHandlers(options.activities ?? {});
  const workflows = workflowHandlers(options.workflows ?? {});
  if (activities.size + workflows.size === 0) {
    throw invalidField("activities", "a worker needs a handler: give it `activities`, `workflows` or both");
  }
  const session = compileSessionConfig(options);
  return Object.freeze<WorkerConfig>({
    taskQueue,
    activities,
    threadPools: threadPoolsOf(options.activities ?? {}),
    workflows,
    slots: compileTuner(besideTuner(options), {
      activity: slotCount(options.maxConcurrentActivityTaskExecutions ?? 100, "maxConcurrentActivityTaskExecutions"),
      workflow: slotCount(options.maxConcurrentWorkflowTaskExecutions ?? 40, "maxConcurrentWorkflowTaskExecutions"),
    }),
    maxActivitiesPerSecond: rate(options.maxActivitiesPerSecond, "maxActivitiesPerSecond"),
    maxTaskQueueActivitiesPerSecond: rate(options.maxTaskQueueActivitiesPerSecond, "maxTaskQueueActivitiesPerSecond"),
    processTaskQueue: options.processQueue === true ? processQueueName(taskQueue, session.workerId) : undefined,
    interceptors: compileInterceptors(options.interceptors === undefined ? {} : options.interceptors),
    cache: cacheOptions(options),
    ...session,
  });
}

/** The tuner. A number of slots beside the part of it that says the same would be ignored without a word. */
function besideTuner({
  tuner,
  maxConcurrentActivityTaskExecutions: activities,
  maxConcurrentWorkflowTaskExecutions: workflows,
}: WorkerOptions): WorkerTuner | undefined {
  if (tuner === undefined) return undefined;
  requireRecord(tuner, "tuner");
  const says = (part: string) => "tunerOptions" in tuner || part in tuner;
  const instead = "the `tuner` says how many there are: give one of the two, not both";
  if (activities !== undefined && says("activityTaskSlotSupplier"))
    throw invalidField("maxConcurrentActivityTaskExecutions", instead);
  if (workflows !== undefined && says("workflowTaskSlotSupplier"))
    throw invalidField("maxConcurrentWorkflowTaskExecutions", instead);
  return tuner;
}

const interceptorKinds: KnownOptions<WorkerInterceptors> = { activity: true, workflow: true };

function compileInterceptors(interceptors: WorkerInterceptors): WorkerInterceptors {
  refuseUnknownOptions(interceptors, interceptorKinds, "interceptors");
  for (const kind of ["activity", "workflow"] as const) {
    const factories = interceptors[kind];
    if (factories === undefined) continue;
    if (!Array.isArray(factories) || !factories.every((factory) => typeof factory === "function"))
      throw invalidField(`interceptors.${kind}`, "is no list of functions that make interceptors");
  }
  return interceptors;
}

function cacheOptions({ maxCachedWorkflows = 1_000, maxCachedBytes, weighCached }: WorkerOptions): HandlerCacheOptions {
  if (!Number.isInteger(maxCachedWorkflows) || maxCachedWorkflows < 0)
    throw invalidField("maxCachedWorkflows", `${maxCachedWorkflows} is no whole number from 0`);
  optionalNumber(maxCachedBytes, "maxCachedBytes");
  if (maxCachedBytes !== undefined && !(maxCachedBytes >= 0))
    throw invalidField("maxCachedBytes", `${maxCachedBytes} is no number from 0`);
  if (maxCachedBytes !== undefined && weighCached === undefined)
    throw invalidField("weighCached", "`maxCachedBytes` needs to know what a value weighs");
  return {
    maxEntries: maxCachedWorkflows,
    maxBytes: maxCachedBytes ?? Number.POSITIVE_INFINITY,
    weigh: weighCached ?? (() => 0),
  };
}

function rate(value: number | undefined, field: string): number | undefined {
  optionalNumber(value, field);
  if (value === undefined || value > 0) return value;
  throw invalidField(field, `${value} is no number over 0`);
}

function processQueueName(taskQueue: string, workerId: string): string {
  const name = `${taskQueue}/${workerId}`;
  const bytes = Buffer.byteLength(name);
  if (bytes <= maxQueueNameBytes) return name;
  const most = maxQueueNameBytes - (bytes - Buffer.byteLength(taskQueue));
  throw invalidField("taskQueue", `with \`processQueue\` its name has ${most} bytes at most`);
}
