import { type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";
import {
  type ClosedTask as ClosedTaskMessage,
  type Outcome as OutcomeMessage,
  type Payload,
  type Task,
  TaskQueueKind,
  TaskState,
  WaitReason,
} from "@tq/proto";
import { decodeFailure, type TaskFailure } from "./failure.ts";
import type { TaskKind } from "./new-task.ts";
import type { PayloadConverter } from "./payload-converter.ts";

/** Where a task is in its life; the first three are the states of an open one. */
export type TaskStateName = "SCHEDULED" | "READY" | "STARTED" | ClosedStateName;

/** How a task closed. */
export type ClosedStateName = "COMPLETED" | "FAILED" | "TIMED_OUT" | "CANCELED";

/** Why a waiting task does not move. */
export interface WaitingReason {
  /** The contract's `WaitReason`, such as `NO_WORKERS`. */
  readonly reason: Exclude<keyof typeof WaitReason, "UNSPECIFIED">;
  readonly since: Date | undefined;
  /** One sentence: what is the matter and what to do. */
  readonly hint: string;
}

/** An attempt that failed. The last ten are kept. */
export interface FailedAttemptDescription {
  readonly attempt: number;
  readonly workerId: string;
  readonly startedAt: Date | undefined;
  readonly failedAt: Date | undefined;
  readonly failure: TaskFailure | undefined;
}

/** How a task closed, decoded. */
export interface TaskOutcome {
  readonly state: ClosedStateName;
  /** What the handler returned, if completed. */
  readonly result: unknown;
  /** The last failure, if there was one and it was not followed by a success. */
  readonly failure: TaskFailure | undefined;
  readonly closedAt: Date | undefined;
  /** What the last heartbeat said. */
  readonly heartbeatDetails: unknown;
}

/** What a workflow task that was added on close says about the task that closed, decoded. */
export interface ClosedTask extends TaskOutcome {
  readonly id: string;
  readonly run: number;
  readonly type: string;
  readonly taskQueue: string;
  readonly kind: TaskKind;
  /** What was given as `onClose.context`. */
  readonly context: unknown;
  /** Attempts that were used. */
  readonly attempts: number;
}

/** A task as the server sees it, decoded. */
export interface TaskDescription {
  readonly id: string;
  /** 1, and one more for each redrive or replacement. */
  readonly run: number;
  readonly taskQueue: string;
  readonly kind: TaskKind;
  readonly type: string;
  readonly state: TaskStateName;
  /** Attempts begun in this run, the present one included. */
  readonly attempt: number;
  readonly priority: number;
  readonly fairnessKey: string;
  readonly serialKey: string;
  /** The arguments. Empty where the call leaves them out. */
  readonly args: readonly unknown[];
  readonly headers: Readonly<Record<string, string>>;
  readonly addedAt: Date | undefined;
  /** When its delay or back-off ends, if `SCHEDULED`. */
  readonly dueAt: Date | undefined;
  /** When the present attempt began, if `STARTED`. */
  readonly startedAt: Date | undefined;
  /** Who has it, if `STARTED`; else empty. */
  readonly workerId: string;
  /** True once a cancel was asked for and the worker has not answered yet. */
  readonly cancelRequested: boolean;
  /** Set once it has closed. */
  readonly outcome: TaskOutcome | undefined;
  /** When it is removed, once it has closed. */
  readonly keptUntil: Date | undefined;
  readonly failedAttempts: readonly FailedAttemptDescription[];
  /** Why it does not move, if it waits; the first one is what to look at. */
  readonly reasons: readonly WaitingReason[];
  /** Set on a workflow task that was added on close. */
  readonly closedTask: ClosedTask | undefined;
}

/** Several tasks by their ids. */
export interface FoundTasks {
  /** Those that exist, in the order of the ids. */
  readonly tasks: readonly TaskDescription[];
  readonly missingIds: readonly string[];
}

/** The plain value of the contract's task message. */
export function describeTask(task: Task, converter: PayloadConverter): TaskDescription {
  return {
    id: task.id,
    run: task.run,
    taskQueue: task.taskQueue?.name ?? "",
    kind: kindName(task.taskQueue?.kind),
    type: task.type,
    state: stateName(task.state),
    attempt: task.attempt,
    priority: task.priority,
    fairnessKey: task.fairnessKey,
    serialKey: task.serialKey,
    args: task.input.map((payload) => converter.fromPayload(payload)),
    headers: task.headers,
    addedAt: date(task.addedAt),
    dueAt: date(task.dueAt),
    startedAt: date(task.startedAt),
    workerId: task.workerId,
    cancelRequested: task.cancelRequested,
    outcome: task.outcome === undefined ? undefined : describeOutcome(task.outcome, converter),
    keptUntil: date(task.keptUntil),
    failedAttempts: task.failedAttempts.map(({ attempt, workerId, startedAt, failedAt, failure }) => ({
      attempt,
      workerId,
      startedAt: date(startedAt),
      failedAt: date(failedAt),
      failure: failure === undefined ? undefined : decodeFailure(failure, converter),
    })),
    reasons: task.reasons.map(({ reason, since, hint }) => ({
      reason: WaitReason[reason] as WaitingReason["reason"],
      since: date(since),
      hint,
    })),
    closedTask: task.closedTask === undefined ? undefined : describeClosedTask(task.closedTask, converter),
  };
}

/** The plain value of the contract's outcome message. */
function describeOutcome(outcome: OutcomeMessage, converter: PayloadConverter): TaskOutcome {
  return {
    state: closedStateName(outcome.state),
    result: valueOf(outcome.result, converter),
    failure: outcome.failure === undefined ? undefined : decodeFailure(outcome.failure, converter),
    closedAt: date(outcome.closedAt),
    heartbeatDetails: valueOf(outcome.heartbeatDetails, converter),
  };
}

/** The plain value of the contract's message about a task that closed. */
export function describeClosedTask(closed: ClosedTaskMessage, converter: PayloadConverter): ClosedTask {
  const none = {
    state: "CANCELED",
    result: undefined,
    failure: undefined,
    closedAt: undefined,
    heartbeatDetails: undefined,
  } as const;
  return {
    ...(closed.outcome === undefined ? none : describeOutcome(closed.outcome, converter)),
    id: closed.id,
    run: closed.run,
    type: closed.type,
    taskQueue: closed.taskQueue?.name ?? "",
    kind: kindName(closed.taskQueue?.kind),
    context: valueOf(closed.context, converter),
    attempts: closed.attempts,
  };
}

/** The name of the contract's kind of queue. */
export function kindName(kind: TaskQueueKind | undefined): TaskKind {
  return kind === TaskQueueKind.WORKFLOW ? "workflow" : "activity";
}

/** The name of the contract's state. */
export function stateName(state: TaskState): TaskStateName {
  switch (state) {
    // A state that this version does not know can only be one that an open task is in for a while.
    case TaskState.UNSPECIFIED:
    case TaskState.SCHEDULED:
      return "SCHEDULED";
    case TaskState.READY:
      return "READY";
    case TaskState.STARTED:
      return "STARTED";
    case TaskState.COMPLETED:
    case TaskState.FAILED:
    case TaskState.TIMED_OUT:
    case TaskState.CANCELED:
      return closedStateName(state);
  }
}

function closedStateName(state: TaskState): ClosedStateName {
  if (state === TaskState.COMPLETED) return "COMPLETED";
  if (state === TaskState.FAILED) return "FAILED";
  return state === TaskState.TIMED_OUT ? "TIMED_OUT" : "CANCELED";
}

function valueOf(payload: Payload | undefined, converter: PayloadConverter): unknown {
  return payload === undefined ? undefined : converter.fromPayload(payload);
}

function date(timestamp: Timestamp | undefined): Date | undefined {
  return timestamp === undefined ? undefined : timestampDate(timestamp);
}
