import { checkNewTask } from "./check-new-task.ts";
import type { CallOptions } from "./call-options.ts";
import type { NewTask, TaskOptions } from "./new-task.ts";
import { requireRecord } from "./option-checks.ts";
import type { TaskClient } from "./task-client.ts";
import type { AddedTaskHandle } from "./task-handle.ts";
import type { WithArgs } from "./with-args.ts";

/** A workflow handler of whatever task, as `@tq/worker-sdk` has it. */
type AnyHandler = (task: never, ...rest: never[]) => unknown;

/** Names of the workflow handlers among the properties of `W`: those that are functions. */
export type WorkflowName<W> = { [K in keyof W]: W[K] extends AnyHandler ? K : never }[keyof W] & string;

/** The arguments of a workflow handler's tasks: those of its `WorkflowTask<Args>`, else any. */
export type WorkflowArgs<W, N extends keyof W> = W[N] extends (task: infer Task, ...rest: never[]) => unknown
  ? Task extends { readonly args: infer Args extends readonly unknown[] }
    ? Args
    : readonly unknown[]
  : never;

/** The result of a completion; of none, undefined. */
type CompletionResult<C> = [C] extends [never]
  ? undefined
  : C extends { readonly result?: infer Result }
    ? Result
    : never;

/** The result of a workflow handler's tasks: that of its completion. */
export type WorkflowResult<W, N extends keyof W> = W[N] extends (...args: never[]) => infer Returned
  ? CompletionResult<Extract<Awaited<Returned>, object>>
  : never;

/** What {@link Client.workflow} takes: which queue, and how the tasks are to be run. */
export interface WorkflowOptions extends TaskOptions {
  /** Name of the workflow queue. */
  readonly taskQueue: string;
}

/** One call with options of its own: the arguments as `args`, what is different for its task, and a `signal` that ends the waiting. */
export type WorkflowCallOptions<W extends object, N extends WorkflowName<W>> = Partial<WorkflowOptions> &
  CallOptions &
  WithArgs<WorkflowArgs<W, N>>;

/**
 * Adds workflow tasks by the type of their handler. `W` is the type of an object (or module) whose functions are workflow
 * handlers, so that types, arguments and results are checked by the compiler; nothing of it is needed when it runs.
 */
export class WorkflowClient<W extends object> {
  readonly #tasks: TaskClient;
  readonly #options: WorkflowOptions;

  /** Made by {@link Client.workflow}. */
  constructor(tasks: TaskClient, options: WorkflowOptions) {
    requireRecord(options, "options");
    // The type and its arguments come with each call.
    checkNewTask({ ...options, type: "" });
    this.#tasks = tasks;
    this.#options = options;
  }

  /** Adds a workflow task; resolves once it is on disk. See {@link TaskClient.add}. */
  add<N extends WorkflowName<W>>(type: N, ...args: WorkflowArgs<W, N>): Promise<AddedTaskHandle<WorkflowResult<W, N>>> {
    return this.#tasks.add<WorkflowResult<W, N>>(this.#task(type, args));
  }

  /**
   * Tells one workflow of something: adds a task with the workflow's id as its serial key, which runs after all that were
   * added for that workflow before, and while no other one of it does.
   */
  signal<N extends WorkflowName<W>>(
    workflowId: string,
    type: N,
    ...args: WorkflowArgs<W, N>
  ): Promise<AddedTaskHandle<WorkflowResult<W, N>>> {
    return this.#tasks.add<WorkflowResult<W, N>>({ ...this.#task(type, args), serialKey: workflowId });
  }

  /**
   * Adds a workflow task and waits for the result of its completion.
   *
   * @throws TaskClosedError if it failed, timed out or was canceled.
   */
  execute<N extends WorkflowName<W>>(type: N, ...args: WorkflowArgs<W, N>): Promise<WorkflowResult<W, N>> {
    return this.#tasks.execute<WorkflowResult<W, N>>(this.#task(type, args));
  }

  /** {@link add} with options of its own, which win over the client's; so a `serialKey` makes it a {@link signal}. */
  addWith<N extends WorkflowName<W>>(
    type: N,
    options: WorkflowCallOptions<W, N>,
  ): Promise<AddedTaskHandle<WorkflowResult<W, N>>> {
    const { task, call } = this.#apart(type, options);
    return this.#tasks.add<WorkflowResult<W, N>>(task, call);
  }

  /**
   * {@link execute} with options of its own.
   *
   * @throws TaskClosedError if it failed, timed out or was canceled; the signal's reason, which ends the waiting and not the task.
   */
  executeWith<N extends WorkflowName<W>>(type: N, options: WorkflowCallOptions<W, N>): Promise<WorkflowResult<W, N>> {
    const { task, call } = this.#apart(type, options);
    return this.#tasks.execute<WorkflowResult<W, N>>(task, call);
  }

  /** A workflow task that is not added yet, for `addMany` and `addAll`. */
  task<N extends WorkflowName<W>>(type: N, ...args: WorkflowArgs<W, N>): NewTask {
    return this.#task(type, args);
  }

  /** The same workflows with some options replaced, for several calls. */
  with(options: Partial<WorkflowOptions>): WorkflowClient<W> {
    return new WorkflowClient<W>(this.#tasks, { ...this.#options, ...checked(options) });
  }

  #apart<N extends WorkflowName<W>>(type: N, options: WorkflowCallOptions<W, N>) {
    const { args = [], signal, ...own } = checked(options);
    return { task: { ...this.#task(type, args), ...own }, call: signal === undefined ? {} : { signal } };
  }

  #task(type: string, args: readonly unknown[]): NewTask {
    return { ...this.#options, kind: "workflow", type, args };
  }
}

function checked<Options extends object>(options: Options): Options {
  requireRecord(options, "options");
  return options;
}
