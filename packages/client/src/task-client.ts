import { addAll, type AddAllCalls, type AddAllOptions, type AddAllSummary } from "./add-all.ts";
import type { AnswerOf } from "./add-group.ts";
import {
  type CallOptions,
  type CancelOptions,
  checkCallOptions,
  checkCancelOptions,
  checkListOptions,
  type ListOptions,
  type ResultOptions,
} from "./call-options.ts";
import type { ClientConfig } from "./client-config.ts";
import { TqError } from "./errors.ts";
import { type ClientInterceptor, composeInterceptors, type Next } from "./interceptors.ts";
import { requireList, requireName, requireRecord } from "./option-checks.ts";
import type { NewTask } from "./new-task.ts";
import { shortAnswer, type TaskCalls } from "./task-calls.ts";
import type { FoundTasks, TaskDescription } from "./task-description.ts";
import { checkTaskFilter, type TaskFilter } from "./task-filter.ts";
import {
  AddedHandle,
  type AddedTaskHandle,
  type CancelStatusName,
  Handle,
  type HandleCalls,
  type TaskHandle,
} from "./task-handle.ts";
import { Tracing } from "./tracing.ts";

const noOptions: CallOptions = Object.freeze({});

/** The calls about tasks, interceptors around them. */
type Intercepted = {
  readonly [Name in Exclude<keyof ClientInterceptor, "respond" | "heartbeat">]-?: Next<ClientInterceptor, Name>;
};

/** Adding, reading and canceling tasks. Every call is made again, for a while, where that makes sense. */
export class TaskClient implements HandleCalls {
  readonly #config: ClientConfig;
  readonly #calls: Intercepted;
  readonly #tracing: Tracing;
  readonly #hasInterceptors: boolean;
  readonly #addPlain: AddAllCalls["add"];
  readonly #room: AddAllCalls["room"];

  /** Made by {@link Client}. */
  constructor(config: ClientConfig, calls: TaskCalls) {
    this.#config = config;
    this.#tracing = new Tracing(config.tracer, config.namespace);
    this.#room = (signal) => calls.roomForMore(signal);
    const interceptors = [this.#tracing, ...config.interceptors];
    const handlesOf: AnswerOf<AddedTaskHandle[]> = (added, offset, count) =>
      added.slice(offset, offset + count).map((task) => new AddedHandle<unknown>(this, task));
    const add: Next<ClientInterceptor, "add"> = ({ tasks, options }) => calls.add(tasks, options.signal, handlesOf);
    const handleOf: AnswerOf<AddedTaskHandle> = (added, offset) => {
      const task = added[offset];
      if (task === undefined) throw shortAnswer();
      return new AddedHandle<unknown>(this, task);
    };
    this.#addPlain = (task, { signal }) => calls.add([task], signal, handleOf);
    this.#hasInterceptors = config.interceptors.some((interceptor) => "add" in interceptor);
    this.#calls = {
      add: composeInterceptors(interceptors, "add", add),
      result: composeInterceptors<ClientInterceptor, "result">(interceptors, "result", (input) => calls.result(input)),
      cancel: composeInterceptors<ClientInterceptor, "cancel">(interceptors, "cancel", (input) => calls.cancel(input)),
      get: composeInterceptors<ClientInterceptor, "get">(interceptors, "get", (input) => calls.get(input)),
      list: composeInterceptors<ClientInterceptor, "list">(interceptors, "list", (input) => calls.list(input)),
    };
  }

  /**
   * Adds a task, and resolves once it is on disk. Tasks that are added while a call is under way go together in the
   * next one; what is wrong with one of them is told to its own caller alone. Awaiting is what slows a producer down
   * to what the server takes; what is not awaited waits in the client up to the bounds of `backPressure`.
   *
   * @throws TqError `already_exists` (`TASK_ID_TAKEN`), `resource_exhausted` (`MAX_BACKLOG`, or without a reason: too many
   * adds wait in this client), `failed_precondition` (`TASK_QUEUE_DRAINING`), `invalid_argument`, and `unavailable` if the
   * server cannot be reached for long. After `unavailable` and `deadline_exceeded` the task may have been added: to try
   * again without adding it twice, give it an id.
   */
  add<T = unknown>(task: NewTask, options: CallOptions = noOptions): Promise<AddedTaskHandle<T>> {
    if (options === noOptions) return this.#add(task, options) as Promise<AddedTaskHandle<T>>;
    return this.#addChecked(task, options) as Promise<AddedTaskHandle<T>>;
  }

  // What the handler of a task returns is the caller's to know. Where nobody looks on, the shortest way is taken.
  #add(task: NewTask, options: CallOptions): Promise<AddedTaskHandle> {
    if (!this.#hasInterceptors && !this.#tracing.isListening) return this.#addPlain(task, options);
    return this.#addIntercepted(task, options);
  }

  async #addChecked(task: NewTask, options: CallOptions): Promise<AddedTaskHandle> {
    checkCallOptions(options);
    return this.#add(task, options);
  }

  async #addIntercepted(task: NewTask, options: CallOptions): Promise<AddedTaskHandle> {
    const [handle] = await this.#calls.add({ tasks: [task], options });
    if (handle === undefined) throw shortAnswer();
    return handle;
  }

  /**
   * Adds tasks all or none, in one call: at most 10,000 tasks and 32 MiB. Errors name the index. For more, or where all
   * or none does not matter, see {@link TaskClient.addAll}.
   */
  async addMany(tasks: readonly NewTask[], options: CallOptions = noOptions): Promise<readonly AddedTaskHandle[]> {
    requireList(tasks, "tasks");
    for (const [index, task] of tasks.entries()) requireRecord(task, `tasks[${index}]`);
    checkCallOptions(options);
    return tasks.length === 0 ? [] : this.#calls.add({ tasks, options });
  }

  /**
   * Adds the tasks of a source of any length, such as an async generator that reads a file: as fast as the server takes
   * them, in batches, with no more of them in memory than `backPressure` has room for, and no more taken from the source.
   * They are not all or none: what is refused is told to `onRefused`, or ends it.
   *
   * @throws TqError of the first task that is refused, naming its place, where there is no `onRefused`; what the source or a
   * listener throws; the signal's reason. What was added until then stays.
   */
  async addAll(
    source: Iterable<NewTask> | AsyncIterable<NewTask>,
    options: AddAllOptions = noOptions,
  ): Promise<AddAllSummary> {
    return addAll(source, { add: (task, call) => this.#add(task, call), room: this.#room }, options);
  }

  /**
   * Adds a task and waits for what its handler returns.
   *
   * @throws TaskClosedError if it failed, timed out or was canceled.
   */
  async execute<T = unknown>(task: NewTask, options: CallOptions = noOptions): Promise<T> {
    requireRecord(task, "task");
    checkCallOptions(options);
    return this.#tracing.within(`execute ${task.type}`, async () => {
      const handle = await this.add<T>(task, options);
      return handle.result(options);
    });
  }

  /**
   * A handle of the task with this id. Asks nothing of the server, so there need be no such task.
   *
   * @throws TqError `invalid_argument` if the id cannot be one.
   */
  getHandle<T = unknown>(id: string): TaskHandle<T> {
    requireId(id, "id");
    return new Handle<T>(this, id);
  }

  /** A task as it is now. @throws TqError `not_found` (`TASK_NOT_FOUND`). */
  async get(id: string, options?: CallOptions): Promise<TaskDescription> {
    requireId(id, "id");
    const { tasks } = await this.getMany([id], options);
    const [task] = tasks;
    if (task !== undefined) return task;
    throw new TqError({
      code: "not_found",
      reason: "TASK_NOT_FOUND",
      message: `No task ${id} in namespace ${this.#config.namespace}: it was never added, or it closed and its retention is over.`,
    });
  }

  /** Tasks as they are now; those that do not exist are named. At most 1,000 ids. */
  async getMany(ids: readonly string[], options: CallOptions = noOptions): Promise<FoundTasks> {
    requireIds(ids);
    checkCallOptions(options);
    return this.#calls.get({ ids, options });
  }

  /** What the handler of a task returned, once it has closed: see {@link TaskHandle.result}. */
  async result(id: string, options: ResultOptions = noOptions): Promise<unknown> {
    requireId(id, "id");
    checkCallOptions(options);
    return this.#calls.result({ id, options });
  }

  /**
   * Tasks that match, in order of adding, fetched a page at a time as they are iterated over. One that is by itself too
   * large for an answer of the server comes behind the others of its page, without its payloads.
   *
   * @throws TqError `invalid_argument` naming an option that is wrong.
   */
  list(filter: TaskFilter = {}, options: ListOptions = noOptions): AsyncIterable<TaskDescription> {
    checkListOptions(options);
    checkTaskFilter(filter);
    return this.#calls.list({ filter, options });
  }

  /** Cancels a task: one that waits closes at once, the worker of one that is started is told. An unknown id is no error. */
  async cancel(id: string, options?: CancelOptions): Promise<CancelStatusName> {
    requireId(id, "id");
    const [status] = await this.cancelMany([id], options);
    if (status === undefined) throw shortAnswer();
    return status;
  }

  /** {@link cancel} for at most 10,000 ids; answers in their order. */
  async cancelMany(ids: readonly string[], options: CancelOptions = noOptions): Promise<CancelStatusName[]> {
    requireIds(ids);
    checkCancelOptions(options);
    return this.#calls.cancel({ ids, options });
  }
}

/** What the server takes of an id that is looked up: those of tasks added on close are longer than those they come from. */
const maxIdBytes = 400;

function requireId(id: unknown, field: string): void {
  requireName(id, field, maxIdBytes);
}

function requireIds(ids: unknown): void {
  requireList(ids, "ids");
  for (const [index, id] of ids.entries()) requireId(id, `ids[${index}]`);
}
