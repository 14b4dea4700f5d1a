import { type AddedTask, AddWarning } from "@tq/proto";
import type { CallOptions, CancelOptions, ResultOptions } from "./call-options.ts";
import type { TaskDescription } from "./task-description.ts";

/** What asking for a cancel did. `REQUESTED`: the task is started, and its worker is being told. */
export type CancelStatusName = "CANCELED" | "REQUESTED" | "ALREADY_CLOSED" | "NOT_FOUND";

/** Something about an add that is worth a look, and did not hinder it. */
export type AddWarningName = Exclude<keyof typeof AddWarning, "UNSPECIFIED">;

/** One task, by its id. `T` is what its handler returns. */
export interface TaskHandle<T = unknown> {
  readonly id: string;
  /**
   * Waits until the task has closed, for as long as that takes, and answers what its handler returned.
   *
   * @throws TaskClosedError if the task failed, timed out or was canceled.
   * @throws TqError if the server cannot be asked, or does not know the task (any more).
   */
  result(options?: ResultOptions): Promise<T>;
  /** Asks for it to be canceled. */
  cancel(options?: CancelOptions): Promise<CancelStatusName>;
  /** The task as it is now. */
  describe(options?: CallOptions): Promise<TaskDescription>;
}

/** The handle of a task that was just added. */
export interface AddedTaskHandle<T = unknown> extends TaskHandle<T> {
  /** 1, and one more for each redrive or replacement. */
  readonly run: number;
  /** True: the id was open already, and nothing was added. */
  readonly existed: boolean;
  /** Usually empty. */
  readonly warnings: readonly AddWarningName[];
}

/** What handles ask. */
export interface HandleCalls {
  result(id: string, options?: ResultOptions): Promise<unknown>;
  cancel(id: string, options?: CancelOptions): Promise<CancelStatusName>;
  get(id: string, options?: CallOptions): Promise<TaskDescription>;
}

/** A handle of the task with this id, whether there is one or not. */
export class Handle<T> implements TaskHandle<T> {
  readonly id: string;
  readonly #calls: HandleCalls;

  constructor(calls: HandleCalls, id: string) {
    this.#calls = calls;
    this.id = id;
  }

  result(options?: ResultOptions): Promise<T> {
    // What a handler returns is between caller and handler; the types of `activity` vouch for it.
    return this.#calls.result(this.id, options) as Promise<T>;
  }

  cancel(options?: CancelOptions): Promise<CancelStatusName> {
    return this.#calls.cancel(this.id, options);
  }

  describe(options?: CallOptions): Promise<TaskDescription> {
    return this.#calls.get(this.id, options);
  }
}

const noWarnings: readonly AddWarningName[] = Object.freeze([]);

/** The handle of a task that was just added. */
export class AddedHandle<T> extends Handle<T> implements AddedTaskHandle<T> {
  readonly run: number;
  readonly existed: boolean;
  readonly warnings: readonly AddWarningName[];

  constructor(calls: HandleCalls, { id, run, existed, warnings }: AddedTask) {
    super(calls, id);
    this.run = run;
    this.existed = existed;
    this.warnings =
      warnings.length === 0 ? noWarnings : warnings.map((warning) => AddWarning[warning] as AddWarningName);
  }
}
