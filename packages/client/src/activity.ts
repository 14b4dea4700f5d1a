import { checkNewTask } from "./check-new-task.ts";
import type { CallOptions } from "./call-options.ts";
import type { NewTask, TaskOptions } from "./new-task.ts";
import { requireRecord } from "./option-checks.ts";
import type { TaskClient } from "./task-client.ts";
import type { AddedTaskHandle } from "./task-handle.ts";
import { withMethods } from "./with-methods.ts";
import type { WithArgs } from "./with-args.ts";

/** Any function. As a constraint it takes every one, whatever its parameters. */
type AnyFunction = (...args: never[]) => unknown;

/** Names of the activities among the properties of `A`: those that are functions. */
export type ActivityName<A> = { [K in keyof A]: A[K] extends AnyFunction ? K : never }[keyof A] & string;

/** The arguments of an activity. */
export type ActivityArgs<A, N extends keyof A> = A[N] extends (...args: infer Args) => unknown ? Args : never;

/** What an activity returns, once awaited. */
export type ActivityResult<A, N extends keyof A> = A[N] extends (...args: never[]) => infer R ? Awaited<R> : never;

/** What {@link Client.activity} takes: which queue, and how the tasks are to be run. */
export interface ActivityOptions<A extends object = never> extends TaskOptions {
  readonly taskQueue: string;
  /**
   * The activities themselves, where this program has them at hand: what `defineActivity` was given as their `defaults` then
   * holds for their tasks, unless it is said here or in `with`. Default: only their types are known.
   */
  readonly activities?: A;
}

/**
 * One call with options of its own: the arguments as `args`, what is different for its task (an id, a priority, a delay), and the
 * `signal` that ends the waiting.
 */
export type ActivityCallOptions<A extends object, N extends ActivityName<A>> = Partial<
  Omit<ActivityOptions, "activities">
> &
  CallOptions &
  WithArgs<ActivityArgs<A, N>>;

/** The task of an activity: its definition's defaults, if that is at hand, and over them the options. */
export function activityTask<A extends object>(
  options: ActivityOptions<A>,
  name: string,
  args: readonly unknown[],
): NewTask & { readonly kind: "activity" } {
  const { activities, ...own } = options;
  return { ...defaultsOf(activities, name), ...own, kind: "activity", type: name, args };
}

/** What the definition of an activity says of its tasks. */
function defaultsOf(activities: object | undefined, name: string): TaskOptions {
  const activity = activities === undefined ? undefined : (activities as Readonly<Record<string, unknown>>)[name];
  if (typeof activity !== "function" || !("defaults" in activity)) return {};
  const { defaults } = activity;
  // Its type is `defineActivity`'s to see to; a name that there is not is refused as the task is encoded.
  return typeof defaults === "object" && defaults !== null ? defaults : {};
}

/**
 * Starts activities by name. `A` is the type of an object (or module) whose functions are the activities, so that names,
 * arguments and results are checked by the compiler; nothing of it is needed when it runs.
 */
export class ActivityClient<A extends object> {
  readonly #tasks: TaskClient;
  readonly #options: ActivityOptions<A>;

  /** Made by {@link Client.activity}. */
  constructor(tasks: TaskClient, options: ActivityOptions<A>) {
    const { activities, ...own } = checked(options, "options");
    if (activities !== undefined) withMethods(activities, "activities", []);
    // The name and its arguments come with each call.
    checkNewTask({ ...own, type: "" });
    this.#tasks = tasks;
    this.#options = options;
  }

  /** Adds a task that runs an activity; resolves once it is on disk. See {@link TaskClient.add}. */
  start<N extends ActivityName<A>>(
    name: N,
    ...args: ActivityArgs<A, N>
  ): Promise<AddedTaskHandle<ActivityResult<A, N>>> {
    return this.#tasks.add<ActivityResult<A, N>>(activityTask(this.#options, name, args));
  }

  /**
   * Runs an activity and waits for what it returns.
   *
   * @throws TaskClosedError if it failed, timed out or was canceled.
   */
  execute<N extends ActivityName<A>>(name: N, ...args: ActivityArgs<A, N>): Promise<ActivityResult<A, N>> {
    return this.#tasks.execute<ActivityResult<A, N>>(activityTask(this.#options, name, args));
  }

  /**
   * {@link start} with options of its own, as in `files.startWith("hash", { args: [path], id: "hash-1", priority: 1 })`. What they
   * say wins over the client's.
   */
  startWith<N extends ActivityName<A>>(
    name: N,
    options: ActivityCallOptions<A, N>,
  ): Promise<AddedTaskHandle<ActivityResult<A, N>>> {
    const { task, call } = this.#apart(name, options);
    return this.#tasks.add<ActivityResult<A, N>>(task, call);
  }

  /**
   * {@link execute} with options of its own.
   *
   * @throws TaskClosedError if it failed, timed out or was canceled; the signal's reason, which ends the waiting and not the task.
   */
  executeWith<N extends ActivityName<A>>(name: N, options: ActivityCallOptions<A, N>): Promise<ActivityResult<A, N>> {
    const { task, call } = this.#apart(name, options);
    return this.#tasks.execute<ActivityResult<A, N>>(task, call);
  }

  /**
   * A task that is not added yet: for `addMany` and `addAll`, as in
   * `client.tasks.addMany(paths.map((path) => files.task("hash", path)))`.
   */
  task<N extends ActivityName<A>>(name: N, ...args: ActivityArgs<A, N>): NewTask {
    return activityTask(this.#options, name, args);
  }

  /** The same activities with some options replaced, for several calls. */
  with(options: Partial<ActivityOptions<A>>): ActivityClient<A> {
    return new ActivityClient<A>(this.#tasks, { ...this.#options, ...checked(options, "options") });
  }

  #apart<N extends ActivityName<A>>(name: N, options: ActivityCallOptions<A, N>) {
    const { args = [], signal, ...own } = checked(options, "options");
    const task = activityTask({ ...this.#options, ...own }, name, args);
    return { task, call: signal === undefined ? {} : { signal } };
  }
}

function checked<Options extends object>(options: Options, field: string): Options {
  requireRecord(options, field);
  return options;
}
