import type { TaskFailure } from "./failure.ts";
import type { ClosedStateName, TaskDescription } from "./task-description.ts";

/**
 * A task closed, and not as completed: what waiting for its result ends with. One of {@link TaskFailedError},
 * {@link TaskTimedOutError} and {@link TaskCanceledError}. (That a call failed is told by `TqError` instead.)
 */
export abstract class TaskClosedError extends Error {
  readonly taskId: string;
  readonly taskType: string;
  readonly run: number;
  readonly state: ClosedStateName;
  /** Attempts that were used. */
  readonly attempts: number;
  /** The last failure. Unset on a task that was canceled or timed out without one. */
  readonly failure: TaskFailure | undefined;

  constructor(task: TaskDescription, state: ClosedStateName, what: string) {
    const failure = task.outcome?.failure;
    const why = failure === undefined ? "" : `: ${failure.type}: ${failure.message}`;
    super(`Task ${task.id} (${task.type}) ${what}${why}`);
    this.taskId = task.id;
    this.taskType = task.type;
    this.run = task.run;
    this.state = state;
    this.attempts = task.attempt;
    this.failure = failure;
  }
}

/** Its handler failed for good, or as often as the retry policy allows. */
export class TaskFailedError extends TaskClosedError {
  override readonly name = "TaskFailedError";
  constructor(task: TaskDescription) {
    super(task, "FAILED", `failed after ${task.attempt === 1 ? "1 attempt" : `${task.attempt} attempts`}`);
  }
}

/** A timeout ended it; `failure.type` says which. */
export class TaskTimedOutError extends TaskClosedError {
  override readonly name = "TaskTimedOutError";
  constructor(task: TaskDescription) {
    super(task, "TIMED_OUT", "timed out");
  }
}

/** It was canceled. */
export class TaskCanceledError extends TaskClosedError {
  override readonly name = "TaskCanceledError";
  constructor(task: TaskDescription) {
    super(task, "CANCELED", "was canceled");
  }
}

/** The result of a task that has closed. @throws TaskClosedError if it was not completed. */
export function resultOf(task: TaskDescription): unknown {
  switch (task.outcome?.state) {
    case "FAILED":
      throw new TaskFailedError(task);
    case "TIMED_OUT":
      throw new TaskTimedOutError(task);
    case "CANCELED":
      throw new TaskCanceledError(task);
    case "COMPLETED":
      return task.outcome.result;
    case undefined:
      throw new Error(`task ${task.id} has not closed`);
  }
}
