import type { NewTask, TaskOptions } from "./new-task.ts";
import type { TaskClient } from "./task-client.ts";
import type { AddedTaskHandle } from "./task-handle.ts";

/** Any function. As a constraint it takes every one, whatever its parameters. */
type AnyFunction = (...args: never[]) => unknown;

/** Names of the activities among the properties of `A`: those that are functions. */
export type ActivityName<A> = { [K in keyof A]: A[K] extends AnyFunction ? K : never }[keyof A] & string;

/** The arguments of an activity. */
export type ActivityArgs<A, N extends keyof A> = A[N] extends (...args: infer Args) => unknown ? Args : never;

/** What an activity returns, once awaited. */
export type ActivityResult<A, N extends keyof A> = A[N] extends (...args: never[]) => infer R ? Awaited<R> : never;

/** What {@link Client.activity} takes: which queue, and how the tasks are to be run. */
export interface ActivityOptions extends TaskOptions {
  readonly taskQueue: string;
}

/**
 * Starts activities by name. `A` is the type of an object (or module) whose functions are the activities, so that names,
 * arguments and results are checked by the compiler; nothing of it is needed when it runs.
 */
export class ActivityClient<A extends object> {
  readonly #tasks: TaskClient;
  readonly #options: ActivityOptions;

  /** Made by {@link Client.activity}. */
  constructor(tasks: TaskClient, options: ActivityOptions) {
    this.#tasks = tasks;
    this.#options = options;
  }

  /** Adds a task that runs an activity; resolves once it is on disk. See {@link TaskClient.add}. */
  start<N extends ActivityName<A>>(
    name: N,
    ...args: ActivityArgs<A, N>
  ): Promise<AddedTaskHandle<ActivityResult<A, N>>> {
    return this.#tasks.add<ActivityResult<A, N>>(this.#task(name, args));
  }

  /**
   * Runs an activity and waits for what it returns.
   *
   * @throws TaskClosedError if it failed, timed out or was canceled.
   */
  execute<N extends ActivityName<A>>(name: N, ...args: ActivityArgs<A, N>): Promise<ActivityResult<A, N>> {
    return this.#tasks.execute<ActivityResult<A, N>>(this.#task(name, args));
  }

  #task(name: string, args: readonly unknown[]): NewTask {
    return { ...this.#options, kind: "activity", type: name, args };
  }

  /** The same activities with some options replaced, such as the id of the next task. */
  with(options: Partial<ActivityOptions>): ActivityClient<A> {
    return new ActivityClient<A>(this.#tasks, { ...this.#options, ...options });
  }
}
