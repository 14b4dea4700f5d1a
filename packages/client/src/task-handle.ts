import { type AddedTask, AddWarning } from "@tq/proto";
import type { TaskDescription } from "./task-description.ts";

/** What asking for a cancel did. `REQUESTED`: the task is started, and its worker is being told. */
export type CancelStatusName = "CANCELED" | "REQUESTED" | "ALREADY_CLOSED" | "NOT_FOUND";

/** Options of a cancel. */
export interface CancelOptions {
  /** Told to the handler, and kept with the task. At most 1,000 bytes. Default none. */
  readonly reason?: string;
  /** Closes a started task at once and revokes its worker's lease, instead of waiting for the handler. Default false. */
  readonly force?: boolean;
}

/** Options of waiting for a result. */
export interface ResultOptions {
  /** Ends the waiting, not the task: `AbortSignal.timeout(5000)` waits for 5 s. The rejection is the signal's reason. */
  readonly signal?: AbortSignal;
}

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
  describe(): Promise<TaskDescription>;
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
export interface TaskCalls {
  result(id: string, options?: ResultOptions): Promise<unknown>;
  cancel(id: string, options?: CancelOptions): Promise<CancelStatusName>;
  get(id: string): Promise<TaskDescription>;
}

/** A handle of the task with this id, whether there is one or not. */
export function taskHandle<T>(calls: TaskCalls, id: string): TaskHandle<T> {
  return {
    id,
    // What a handler returns is between caller and handler; the types of `activity` vouch for it.
    result: (options) => calls.result(id, options) as Promise<T>,
    cancel: (options) => calls.cancel(id, options),
    describe: () => calls.get(id),
  };
}

/** The handle of a task that was just added. */
export function addedTaskHandle<T>(calls: TaskCalls, added: AddedTask): AddedTaskHandle<T> {
  const warnings = added.warnings.map((warning) => AddWarning[warning] as AddWarningName);
  return { ...taskHandle<T>(calls, added.id), run: added.run, existed: added.existed, warnings };
}
