import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import {
  FallbackSchema,
  IdPolicy,
  type NewTask as NewTaskMessage,
  OnCloseSchema,
  RetryPolicySchema,
  TaskQueueKind,
  TaskTimeoutsSchema,
} from "@tq/proto";
import { checkNewTask } from "./check-new-task.ts";
import { invalidField } from "./errors.ts";
import { type Duration, durationToMs, longestDurationMs } from "./duration.ts";
import type { IdSource } from "./ids.ts";
import { encodeField, encodeInput, payloadBytes } from "./payload.ts";
import type { PayloadConverter } from "./payload-converter.ts";

/** The two kinds of task, and of queue, under one name. */
export type TaskKind = "activity" | "workflow";

/** When and how often a failed attempt is tried again. What is left out has the queue's default, or else the one here. */
export interface RetryPolicy {
  /** Wait after the first failed attempt. Default 1 s; 0 tries again at once. */
  readonly initialInterval?: Duration;
  /** Factor from one wait to the next, at least 1. Default 2. */
  readonly backoffCoefficient?: number;
  /** Longest wait. Default 100 s. */
  readonly maximumInterval?: Duration;
  /** Attempts in all, the first included; 0 means no limit. Default 25 for activities, 0 for workflow tasks. */
  readonly maximumAttempts?: number;
  /** Failure types that are never tried again. Default none. */
  readonly nonRetryableFailureTypes?: readonly string[];
  /** Share of each wait that is drawn at random, 0 to 1. Default 0.1. */
  readonly jitter?: number;
}

/** Where a task moves when its schedule-to-start is over, or its queue has no live worker for 10 s. */
export interface Fallback {
  readonly taskQueue: string;
  /** Replaces the task's type. Default: stays. */
  readonly type?: string;
  /** Replaces the task's arguments, also by an empty list. Default: they stay. */
  readonly args?: readonly unknown[];
}

/** A workflow task that is added when a task closes, in the transaction that closes it. It carries the outcome. */
export interface OnClose {
  /** Name of the workflow queue. */
  readonly taskQueue: string;
  /** Type of the workflow task. */
  readonly type: string;
  /** Workflow tasks with the same serial key run one at a time. An engine uses its workflow's id. Default none. */
  readonly serialKey?: string;
  /** Comes back untouched as `closedTask.context`. Default none. */
  readonly context?: unknown;
  /** 1 (first) to 5. Default 3. */
  readonly priority?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * Workflow queue that the outcome moves to when nobody has polled `taskQueue` for 10 s, or its worker releases it to the
   * fallback: for an outcome that is to go to one process's own queue while that process lives. Default none.
   */
  readonly fallbackTaskQueue?: string;
}

/** What may be said about a task besides what it runs. All of it is optional; the defaults are the server's. */
export interface TaskOptions {
  /**
   * Unique in the namespace among open tasks and those still kept; 1 to 300 bytes. Adding an id that is open adds
   * nothing and answers with the open task. Default: a new UUIDv7.
   */
  readonly id?: string;
  /** 1 (first) to 5, strict. Default 3. */
  readonly priority?: number;
  /** Whose share of the dispatch the task counts against; dispatch is fair over the keys. Default: one key for all without. */
  readonly fairnessKey?: string;
  /** 0.001 to 1000. Default 1. */
  readonly fairnessWeight?: number;
  /** Tasks of one queue with the same serial key run one at a time, in order of adding. Default none. */
  readonly serialKey?: string;
  /** Not before so long from now. Default 0. */
  readonly startDelay?: Duration;
  /** From ready to dispatched. Over: the fallback, or `TIMED_OUT`. Default no limit. */
  readonly scheduleToStartTimeout?: Duration;
  /** One attempt. Over: the attempt failed. Default 1 h for activities, 10 s for workflow tasks; 0 asks for no limit. */
  readonly startToCloseTimeout?: Duration;
  /** The whole life, retries included. Over: `TIMED_OUT`. Default no limit. */
  readonly scheduleToCloseTimeout?: Duration;
  /** From one heartbeat to the next; for handlers that may hang. (A worker that dies is noticed without.) Default no limit. */
  readonly heartbeatTimeout?: Duration;
  readonly retry?: RetryPolicy;
  /** Handed through to the handler. At most 100 entries and 16 KiB. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly fallback?: Fallback;
  readonly onClose?: OnClose;
  /**
   * What happens if the id belongs to a closed task that is still kept: `reject` (default) refuses the add; the others
   * replace the closed task, always or if it is dead (failed or timed out).
   */
  readonly idPolicy?: "reject" | "allow-if-dead" | "allow";
  /** How long the task is kept once it has closed. Default: the queue's retention. 0 removes it at once. */
  readonly retention?: Duration;
}

/** A task to add. */
export interface NewTask extends TaskOptions {
  readonly taskQueue: string;
  /** Default `activity`. */
  readonly kind?: TaskKind;
  /** Which handler runs it. */
  readonly type: string;
  /** The handler's arguments. Default none. */
  readonly args?: readonly unknown[];
}

/** The contract's number of a kind. */
export function kindNumber(kind: TaskKind): TaskQueueKind.ACTIVITY | TaskQueueKind.WORKFLOW {
  return kind === "workflow" ? TaskQueueKind.WORKFLOW : TaskQueueKind.ACTIVITY;
}

const idPolicies = {
  reject: IdPolicy.REJECT,
  "allow-if-dead": IdPolicy.ALLOW_IF_DEAD,
  allow: IdPolicy.ALLOW,
} as const;

/**
 * The contract's message of a task to add, with an id if it has none.
 *
 * @throws TqError `invalid_argument` naming the option if there is no such, its value is of the wrong type, a duration is
 *   malformed or an argument cannot travel.
 */
export function encodeNewTask(task: NewTask, converter: PayloadConverter, newId: IdSource): NewTaskMessage {
  checkNewTask(task);
  const { taskQueue: name, kind = "activity", fallback, onClose } = task;
  // As `create` makes it, without what that costs: every add passes here.
  const message: NewTaskMessage = {
    $typeName: "tq.v1.NewTask",
    id: task.id ?? newId(),
    taskQueue: { $typeName: "tq.v1.TaskQueueRef", name, kind: kindNumber(kind) },
    type: task.type,
    input: task.args === undefined ? [] : encodeInput(task.args, converter),
    priority: task.priority ?? 0,
    fairnessKey: task.fairnessKey ?? "",
    fairnessWeight: task.fairnessWeight ?? 0,
    serialKey: task.serialKey ?? "",
    headers: { ...task.headers },
    idPolicy: task.idPolicy === undefined ? IdPolicy.UNSPECIFIED : idPolicyNumber(task.idPolicy),
  };
  if (task.startDelay !== undefined) message.startDelay = durationMessage(task.startDelay, "startDelay");
  if (task.retention !== undefined) message.retention = durationMessage(task.retention, "retention");
  if (task.retry !== undefined) message.retryPolicy = create(RetryPolicySchema, retryPolicy(task.retry));
  const set = timeouts(task);
  if (set !== undefined) message.timeouts = create(TaskTimeoutsSchema, set);
  if (fallback !== undefined) {
    message.fallback = create(FallbackSchema, {
      taskQueue: { name: fallback.taskQueue, kind: kindNumber(kind) },
      type: fallback.type ?? "",
      input: encodeInput(fallback.args ?? [], converter),
      replaceInput: fallback.args !== undefined,
    });
  }
  if (onClose !== undefined) {
    const { context, fallbackTaskQueue } = onClose;
    message.onClose = create(OnCloseSchema, {
      taskQueue: { name: onClose.taskQueue, kind: TaskQueueKind.WORKFLOW },
      type: onClose.type,
      serialKey: onClose.serialKey ?? "",
      ...(context !== undefined && { context: encodeField(context, "onClose.context", converter) }),
      priority: onClose.priority ?? 0,
      headers: onClose.headers ?? {},
      ...(fallbackTaskQueue !== undefined && {
        fallbackTaskQueue: { name: fallbackTaskQueue, kind: TaskQueueKind.WORKFLOW },
      }),
    });
  }
  return message;
}

/** The contract's message of a duration; an error names `field`. */
export function durationMessage(duration: Duration, field: string): ReturnType<typeof durationFromMs> {
  const durationMs = Math.round(durationToMs(duration, field));
  if (durationMs > longestDurationMs) throw invalidField(field, `${durationMs} ms is longer than 10,000 years`);
  return durationFromMs(durationMs);
}

function idPolicyNumber(policy: NonNullable<TaskOptions["idPolicy"]>): IdPolicy {
  if (Object.hasOwn(idPolicies, policy)) return idPolicies[policy];
  throw invalidField("idPolicy", `${JSON.stringify(policy)} is none of ${Object.keys(idPolicies).join(", ")}`);
}

function timeouts(task: TaskOptions): MessageInitShape<typeof TaskTimeoutsSchema> | undefined {
  const { scheduleToStartTimeout, startToCloseTimeout, scheduleToCloseTimeout, heartbeatTimeout } = task;
  if (
    scheduleToStartTimeout === undefined &&
    startToCloseTimeout === undefined &&
    scheduleToCloseTimeout === undefined &&
    heartbeatTimeout === undefined
  ) {
    return undefined;
  }
  return {
    ...(scheduleToStartTimeout !== undefined && {
      scheduleToStart: durationMessage(scheduleToStartTimeout, "scheduleToStartTimeout"),
    }),
    ...(startToCloseTimeout !== undefined && {
      startToClose: durationMessage(startToCloseTimeout, "startToCloseTimeout"),
    }),
    ...(scheduleToCloseTimeout !== undefined && {
      scheduleToClose: durationMessage(scheduleToCloseTimeout, "scheduleToCloseTimeout"),
    }),
    ...(heartbeatTimeout !== undefined && { heartbeat: durationMessage(heartbeatTimeout, "heartbeatTimeout") }),
  };
}

function retryPolicy(retry: RetryPolicy): MessageInitShape<typeof RetryPolicySchema> {
  const { initialInterval, backoffCoefficient, maximumInterval, maximumAttempts, nonRetryableFailureTypes, jitter } =
    retry;
  return {
    ...(initialInterval !== undefined && {
      initialInterval: durationMessage(initialInterval, "retry.initialInterval"),
    }),
    ...(backoffCoefficient !== undefined && { backoffCoefficient }),
    ...(maximumInterval !== undefined && {
      maximumInterval: durationMessage(maximumInterval, "retry.maximumInterval"),
    }),
    ...(maximumAttempts !== undefined && { maximumAttempts }),
    ...(nonRetryableFailureTypes !== undefined && { nonRetryableFailureTypes: [...nonRetryableFailureTypes] }),
    ...(jitter !== undefined && { jitter }),
  };
}

/** About how many bytes a task takes on the wire; for filling calls up to a limit. */
export function newTaskBytes(task: NewTaskMessage): number {
  // What is small and bounded: ids, names, numbers and durations.
  let bytes = 200 + task.id.length;
  for (const payload of task.input) bytes += payloadBytes(payload);
  if (task.fallback !== undefined) for (const payload of task.fallback.input) bytes += payloadBytes(payload);
  if (task.onClose?.context !== undefined) bytes += payloadBytes(task.onClose.context);
  for (const name in task.headers) bytes += name.length + 3 * (task.headers[name] ?? "").length;
  return bytes;
}
