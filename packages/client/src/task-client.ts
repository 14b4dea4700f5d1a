import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import {
  type AddedTask,
  CancelStatus,
  type GetTasksRequestSchema,
  type GetTasksResponse,
  type NewTask as NewTaskMessage,
  type Task,
  WaitFor,
} from "@tq/proto";
import { AddCoalescer } from "./add-coalescer.ts";
import type { ClientConfig } from "./client-config.ts";
import { CloseWaiter } from "./close-waiter.ts";
import { resultOf } from "./closed-errors.ts";
import { TqError } from "./errors.ts";
import { encodeNewTask, type NewTask } from "./new-task.ts";
import type { MessageCodec } from "./message-codec.ts";
import { type RetryOptions, retrying } from "./retry.ts";
import type { Services } from "./services.ts";
import { describeTask, type TaskDescription } from "./task-description.ts";
import { encodeTaskFilter, type TaskFilter } from "./task-filter.ts";
import {
  addedTaskHandle,
  type AddedTaskHandle,
  type CancelOptions,
  type CancelStatusName,
  type ResultOptions,
  type TaskCalls,
  taskHandle,
  type TaskHandle,
} from "./task-handle.ts";

/** Options of listing tasks. */
export interface ListOptions {
  /** Tasks that a call brings, 1 to 1,000. Default 100. */
  readonly pageSize?: number;
  /** Also brings arguments and results; without it they are left out. Default false. */
  readonly includePayloads?: boolean;
}

/** Several tasks by their ids. */
export interface FoundTasks {
  /** Those that exist, in the order of the ids. */
  readonly tasks: readonly TaskDescription[];
  readonly missingIds: readonly string[];
}

/** Adding, reading and canceling tasks. Every call is made again, for a while, where that makes sense. */
export class TaskClient {
  readonly #config: ClientConfig;
  readonly #services: Services;
  readonly #coalescer: AddCoalescer;
  readonly #closes: CloseWaiter;
  readonly #calls: TaskCalls;
  /** Settled once the codecs have encoded what was added before. */
  #encoded: Promise<unknown> = Promise.resolve();

  /** Made by {@link Client}. */
  constructor(config: ClientConfig, services: Services) {
    this.#config = config;
    this.#services = services;
    this.#coalescer = new AddCoalescer({
      ...config.coalescing,
      clock: config.clock,
      giveUpAfterMs: config.retry.giveUpAfterMs,
      send: (tasks, giveUpAtMs, retryable) => this.#addTasks(tasks, { giveUpAtMs, retryable }),
    });
    this.#closes = new CloseWaiter({
      getAnyClosed: (ids, waitMs, signal) =>
        this.#getTasks(
          { ids, wait: durationFromMs(waitMs), waitFor: WaitFor.ANY_CLOSED, omitInput: true },
          waitMs,
          signal,
        ),
    });
    this.#calls = {
      result: (id, options) => this.#result(id, options),
      cancel: (id, options) => this.cancel(id, options),
      get: (id) => this.get(id),
    };
  }

  /**
   * Adds a task, and resolves once it is on disk. Tasks that are added while a call is under way go together in the
   * next one; what is wrong with one of them is told to its own caller alone. Awaiting is what slows a producer down
   * to what the server takes.
   *
   * @throws TqError `already_exists` (`TASK_ID_TAKEN`), `resource_exhausted` (`MAX_BACKLOG`), `failed_precondition`
   * (`TASK_QUEUE_DRAINING`), `invalid_argument`, and `unavailable` if the server cannot be reached for long. After
   * `unavailable` and `deadline_exceeded` the task may have been added: to try again without adding it twice, give it
   * an id.
   */
  async add<T = unknown>(task: NewTask): Promise<AddedTaskHandle<T>> {
    const [handle] = await this.#add<T>([task]);
    if (handle === undefined) throw shortAnswer();
    return handle;
  }

  /**
   * Adds tasks all or none, in one call: at most 10,000 tasks and 32 MiB. Errors name the index. For more, or where all
   * or none does not matter, call {@link add} for each, without awaiting in between.
   */
  async addMany(tasks: readonly NewTask[]): Promise<AddedTaskHandle[]> {
    return tasks.length === 0 ? [] : this.#add(tasks);
  }

  /** A handle of the task with this id. Asks nothing of the server, so there need be no such task. */
  getHandle<T = unknown>(id: string): TaskHandle<T> {
    return taskHandle<T>(this.#calls, id);
  }

  /** A task as it is now. @throws TqError `not_found` (`TASK_NOT_FOUND`). */
  async get(id: string): Promise<TaskDescription> {
    const { tasks } = await this.getMany([id]);
    const [task] = tasks;
    if (task !== undefined) return task;
    throw new TqError({
      code: "not_found",
      reason: "TASK_NOT_FOUND",
      message: `No task ${id} in namespace ${this.#config.namespace}: it was never added, or it closed and its retention is over.`,
    });
  }

  /** Tasks as they are now; those that do not exist are named. At most 1,000 ids. */
  async getMany(ids: readonly string[]): Promise<FoundTasks> {
    const found = new Map<string, Task>();
    const missingIds: string[] = [];
    for (let asked = [...ids]; asked.length > 0;) {
      const response = await this.#getTasks({ ids: asked });
      for (const task of response.tasks) found.set(task.id, task);
      missingIds.push(...response.missingIds);
      if (response.omittedIds.length >= asked.length) throw shortAnswer();
      asked = response.omittedIds;
    }
    const tasks = ids.flatMap((id) => found.get(id) ?? []);
    return { tasks: await this.#describeAll(tasks), missingIds };
  }

  /**
   * Tasks that match, in order of adding, fetched a page at a time as they are iterated over. One that is by itself too
   * large for an answer of the server comes behind the others of its page, without its payloads.
   */
  async *list(filter: TaskFilter = {}, options: ListOptions = {}): AsyncGenerator<TaskDescription, void, undefined> {
    const { namespace } = this.#config;
    const { pageSize = 100, includePayloads = false } = options;
    let pageToken = "";
    do {
      const request = { namespace, filter: encodeTaskFilter(filter), pageSize, pageToken, includePayloads };
      const page = await retrying(() => this.#services.tasks.listTasks(request), this.#config);
      yield* await this.#describeAll(page.tasks);
      if (page.omittedIds.length > 0) yield* await this.#describeAll(await this.#withoutPayloads(page.omittedIds));
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
  }

  /** Those of a page that went into no answer with their payloads. @throws TqError `resource_exhausted` if nor without. */
  async #withoutPayloads(ids: readonly string[]): Promise<readonly Task[]> {
    const { namespace } = this.#config;
    const tasks: Task[] = [];
    let pageToken = "";
    do {
      const request = { namespace, filter: encodeTaskFilter({ ids }), pageSize: ids.length, pageToken };
      const page = await retrying(() => this.#services.tasks.listTasks(request), this.#config);
      if (page.omittedIds.length > 0) throw tooLarge(page.omittedIds);
      tasks.push(...page.tasks);
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    return tasks;
  }

  /** Cancels a task: one that waits closes at once, the worker of one that is started is told. An unknown id is no error. */
  async cancel(id: string, options?: CancelOptions): Promise<CancelStatusName> {
    const [status] = await this.cancelMany([id], options);
    if (status === undefined) throw shortAnswer();
    return status;
  }

  /** {@link cancel} for at most 10,000 ids; answers in their order. */
  async cancelMany(ids: readonly string[], options: CancelOptions = {}): Promise<CancelStatusName[]> {
    const { namespace, newId } = this.#config;
    const { reason = "", force = false } = options;
    const request = { namespace, requestId: newId(), ids: [...ids], reason, force };
    const { statuses } = await retrying(() => this.#services.tasks.cancelTasks(request), this.#config);
    return statuses.map((status) => CancelStatus[status] as CancelStatusName);
  }

  /** Made by {@link Client.close}: waits for what is being added, ends all waiting for results. */
  async close(): Promise<void> {
    const error = new TqError({ code: "canceled", message: "The client is closed" });
    this.#closes.close(error);
    await this.#coalescer.close(error);
  }

  async #add<T>(tasks: readonly NewTask[]): Promise<AddedTaskHandle<T>[]> {
    const { payloadConverter, messageCodec, newId } = this.#config;
    const messages = tasks.map((task) => encodeNewTask(task, payloadConverter, newId));
    if (messageCodec !== undefined) await this.#inOrder(() => encodeAll(messages, messageCodec));
    const chosenIds = tasks.flatMap(({ id }) => id ?? []);
    const added = await this.#coalescer.add(messages, chosenIds);
    return added.map((task) => addedTaskHandle<T>(this.#calls, task));
  }

  async #addTasks(tasks: NewTaskMessage[], options: RetryOptions): Promise<AddedTask[]> {
    const { namespace, newId } = this.#config;
    // One request id for all tries: it is what keeps a repeated call from adding twice.
    const request = { namespace, requestId: newId(), tasks };
    const response = await retrying(() => this.#services.tasks.addTasks(request), this.#config, options);
    if (response.tasks.length !== tasks.length) throw shortAnswer();
    return response.tasks;
  }

  #getTasks(
    request: MessageInitShape<typeof GetTasksRequestSchema>,
    waitMs = 0,
    signal?: AbortSignal,
  ): Promise<GetTasksResponse> {
    const { namespace, callTimeoutMs } = this.#config;
    const options = { timeoutMs: waitMs + callTimeoutMs, ...(signal !== undefined && { signal }) };
    return retrying(() => this.#services.tasks.getTasks({ ...request, namespace }, options), this.#config, { signal });
  }

  async #result(id: string, options: ResultOptions = {}): Promise<unknown> {
    const [task] = await this.#describeAll([await this.#closes.wait(id, options.signal)]);
    if (task === undefined) throw shortAnswer();
    return resultOf(task);
  }

  /** The tasks as plain values, decoded. */
  async #describeAll(tasks: readonly Task[]): Promise<TaskDescription[]> {
    const { messageCodec, payloadConverter } = this.#config;
    if (messageCodec !== undefined) await Promise.all(tasks.map((task) => messageCodec.decodeTask(task)));
    return tasks.map((task) => describeTask(task, payloadConverter));
  }

  /** Waits for `encode`, and for those of all adds before: tasks go out in the order of the calls, however long a codec takes. */
  async #inOrder(encode: () => Promise<unknown>): Promise<void> {
    const before = this.#encoded;
    const encoding = encode();
    // Without the results: each would hold those of all before it.
    const mine = Promise.allSettled([before, encoding]).then(() => {});
    this.#encoded = mine;
    await mine;
    await encoding;
  }
}

/** All tasks of an add, encoded. @throws TqError of the first that a codec refuses, naming it. */
async function encodeAll(messages: readonly NewTaskMessage[], codec: MessageCodec): Promise<void> {
  await Promise.all(messages.map((message) => codec.encodeNewTask(message)));
}

/** Tasks that go into no answer, however little of them is asked for. */
function tooLarge(ids: readonly string[]): TqError {
  return new TqError({
    code: "resource_exhausted",
    message: `The server's max_reply_bytes are too few for ${ids.map((id) => JSON.stringify(id)).join(", ")}: raise them`,
  });
}

function shortAnswer(): TqError {
  return new TqError({
    code: "internal",
    message: "The server's answer does not match the call: it is not of a version that this client knows",
  });
}
