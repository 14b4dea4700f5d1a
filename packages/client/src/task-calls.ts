import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import {
  type AddedTask,
  type AddTasksRequest,
  CancelStatus,
  type GetTasksRequestSchema,
  type GetTasksResponse,
  type NewTask as NewTaskMessage,
  type Task,
  WaitFor,
} from "@tq/proto";
import { AddCoalescer } from "./add-coalescer.ts";
import type { AddGroupParts, AnswerOf } from "./add-group.ts";
import { AddRoom } from "./add-room.ts";
import type { ClientConfig } from "./client-config.ts";
import type { ClientMetrics } from "./client-metrics.ts";
import { CloseWaiter } from "./close-waiter.ts";
import { sleep } from "./clock.ts";
import { resultOf } from "./closed-errors.ts";
import { TqError, toTqError } from "./errors.ts";
import type { CancelInput, GetInput, ListInput, ResultInput } from "./interceptors.ts";
import type { MessageCodec } from "./message-codec.ts";
import { encodeNewTask, type NewTask, newTaskBytes } from "./new-task.ts";
import { inOptionNames } from "./option-names.ts";
import { refuseCoded } from "./payload-codec.ts";
import { type RetryContext, type RetryOptions, retrying, retryingUntil } from "./retry.ts";
import type { Services } from "./services.ts";
import { describeTask, type FoundTasks, type TaskDescription } from "./task-description.ts";
import { encodeTaskFilter } from "./task-filter.ts";
import type { CancelStatusName } from "./task-handle.ts";
import { encodeTasksAhead, setTasksAhead } from "./wire/tasks-ahead.ts";

/** What the calls need. */
export interface TaskCallsOptions {
  readonly config: ClientConfig;
  readonly services: Services;
  readonly metrics: ClientMetrics;
  readonly retry: RetryContext;
  /** Whether the services' transport takes tasks that were encoded before. */
  readonly takesTasksAhead: boolean;
}

const noIds: readonly string[] = Object.freeze([]);

/** The calls about tasks, as they are once every interceptor has had its say: encoded, gathered, tried again, decoded. */
export class TaskCalls {
  readonly #config: ClientConfig;
  readonly #services: Services;
  readonly #metrics: ClientMetrics;
  readonly #retry: RetryContext;
  readonly #room: AddRoom;
  readonly #coalescer: AddCoalescer;
  readonly #closes: CloseWaiter;
  #closed: TqError | undefined;
  /** End the waiting for codecs of each add that does. */
  readonly #encoding = new Set<(error: Error) => void>();
  /** Settled once the codecs have encoded what was added before. */
  #encoded: Promise<unknown> = Promise.resolve();

  constructor({ config, services, metrics, retry, takesTasksAhead }: TaskCallsOptions) {
    this.#config = config;
    this.#services = services;
    this.#metrics = metrics;
    this.#retry = retry;
    this.#room = new AddRoom(config.backPressure);
    this.#coalescer = new AddCoalescer({
      ...config.coalescing,
      clock: config.clock,
      giveUpAfterMs: config.retry.giveUpAfterMs,
      room: this.#room,
      onFailed: (tasks, error) => metrics.addFailed(tasks, error),
      encode: takesTasksAhead ? encodeTasksAhead : undefined,
      send: (tasks, encoded, options) => this.#addTasks(tasks, encoded, options),
    });
    this.#closes = new CloseWaiter({
      getAnyClosed: (ids, waitMs, signal) =>
        this.#getTasks(
          { ids, wait: durationFromMs(waitMs), waitFor: WaitFor.ANY_CLOSED, omitInput: true },
          { waitMs, signal },
        ),
    });
  }

  /** Tasks that wait in this client to be added, and those that are on their way. */
  get waitingAdds(): number {
    return this.#room.tasks + this.#room.waitingTasks;
  }

  /** Adds tasks all or none. */
  add<T>(tasks: readonly NewTask[], signal: AbortSignal | undefined, answerOf: AnswerOf<T>): Promise<T> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed);
    if (signal?.aborted === true) return Promise.reject(signal.reason as Error);
    if (this.#room.isFree) return this.#begin(tasks, signal, answerOf);
    return this.#room.wait(tasks.length, () => this.#begin(tasks, signal, answerOf), signal);
  }

  /** Resolves once another add would begin at once; undefined: it would. */
  roomForMore(signal: AbortSignal | undefined): Promise<void> | undefined {
    return this.#room.isFree ? undefined : this.#room.wait(0, async () => {}, signal);
  }

  /** Tasks as they are now. */
  async get({ ids, options: { signal } }: GetInput): Promise<FoundTasks> {
    const found = new Map<string, Task>();
    const missingIds: string[] = [];
    for (let asked = [...ids]; asked.length > 0;) {
      const response = await this.#getTasks({ ids: asked }, { signal });
      for (const task of response.tasks) found.set(task.id, task);
      missingIds.push(...response.missingIds);
      if (response.omittedIds.length >= asked.length) throw shortAnswer();
      asked = response.omittedIds;
    }
    const tasks = ids.flatMap((id) => found.get(id) ?? []);
    return { tasks: await this.#describeAll(tasks), missingIds };
  }

  /** Tasks that match, a page at a time. */
  async *list({ filter, options }: ListInput): AsyncGenerator<TaskDescription, void, undefined> {
    const { namespace } = this.#config;
    const { pageSize = 100, includePayloads = false, signal } = options;
    let pageToken = "";
    do {
      const request = { namespace, filter: encodeTaskFilter(filter), pageSize, pageToken, includePayloads };
      const page = await this.#retrying("ListTasks", (call) => this.#services.tasks.listTasks(request, call), signal);
      yield* await this.#describeAll(page.tasks);
      if (page.omittedIds.length > 0)
        yield* await this.#describeAll(await this.#withoutPayloads(page.omittedIds, signal));
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
  }

  /** Cancels tasks; a status for each id, in order. */
  async cancel({ ids, options }: CancelInput): Promise<CancelStatusName[]> {
    const { namespace, newId } = this.#config;
    const { reason = "", force = false, signal } = options;
    const request = { namespace, requestId: newId(), ids: [...ids], reason, force };
    const { statuses } = await this.#retrying(
      "CancelTasks",
      (call) => this.#services.tasks.cancelTasks(request, call),
      signal,
    );
    if (statuses.length !== ids.length) throw shortAnswer();
    return statuses.map((status) => CancelStatus[status] as CancelStatusName);
  }

  /** What the handler of a task returned, once it has closed. @throws TaskClosedError if it was not completed. */
  async result({ id, options }: ResultInput): Promise<unknown> {
    const closed = await this.#closes.wait(id, options.signal);
    const [task] = await this.#describeAll([closed]);
    if (task === undefined) throw shortAnswer();
    if (closed.outcome?.result !== undefined) refuseCoded(closed.outcome.result);
    return resultOf(task);
  }

  /** Takes no more adds, waits for those that there are for at most so long, and ends all waiting for results. */
  async close(withinMs: number): Promise<void> {
    const { clock } = this.#config;
    const closed = closedError("The client is closed");
    this.#closed ??= closed;
    this.#closes.close(closed);
    this.#coalescer.close(closed);
    const emptied = new AbortController();
    void this.#room.empty().then(() => emptied.abort());
    const isEmpty = await sleep(clock, withinMs, emptied.signal).then(
      () => false,
      () => true,
    );
    if (isEmpty) return;
    const unsent = closedError("The client was closed before the task was sent: it was not added");
    const sent = closedError("The client was closed before the server had answered: the task may have been added");
    this.#room.refuse(unsent);
    for (const reject of this.#encoding) reject(unsent);
    this.#coalescer.abort(sent, unsent);
  }

  /** Encodes tasks, takes room for them and hands them to the coalescer. */
  #begin<T>(tasks: readonly NewTask[], signal: AbortSignal | undefined, answerOf: AnswerOf<T>): Promise<T> {
    const { payloadConverter, messageCodec, newId } = this.#config;
    const messages: NewTaskMessage[] = [];
    let chosenIds: string[] | undefined;
    let bytes = 0;
    try {
      for (const task of tasks) {
        const message = encodeNewTask(task, payloadConverter, newId);
        messages.push(message);
        bytes += newTaskBytes(message);
        if (task.id !== undefined) (chosenIds ??= []).push(task.id);
      }
    } catch (unknown) {
      const error = toTqError(unknown);
      return Promise.reject(tasks.length === 1 ? error : ofTask(messages.length, error));
    }
    this.#room.enter(tasks.length, bytes);
    const group = { tasks: messages, bytes, chosenIds: chosenIds ?? noIds, roomBytes: bytes, signal, answerOf };
    return messageCodec === undefined ? this.#coalescer.add(group) : this.#encodeAndAdd(group, messageCodec);
  }

  async #encodeAndAdd<T>(group: AddGroupParts<T>, codec: MessageCodec): Promise<T> {
    const { promise: ended, reject } = Promise.withResolvers<never>();
    const onAbort = () => reject(group.signal?.reason as Error);
    group.signal?.addEventListener("abort", onAbort, { once: true });
    this.#encoding.add(reject);
    try {
      const encoded = this.#inOrder(() => Promise.all(group.tasks.map((task) => codec.encodeNewTask(task))));
      await Promise.race([encoded, ended]);
    } catch (error) {
      this.#room.leave(group.tasks.length, group.roomBytes);
      throw error;
    } finally {
      this.#encoding.delete(reject);
      group.signal?.removeEventListener("abort", onAbort);
    }
    const bytes = group.tasks.reduce((sum, task) => sum + newTaskBytes(task), 0);
    return this.#coalescer.add({ ...group, bytes });
  }

  async #addTasks(
    tasks: NewTaskMessage[],
    encoded: readonly Uint8Array[] | undefined,
    options: RetryOptions,
  ): Promise<AddedTask[]> {
    const { namespace, newId } = this.#config;
    // One request id for all tries: it is what keeps a repeated call from adding twice.
    const request: AddTasksRequest = { $typeName: "tq.v1.AddTasksRequest", namespace, requestId: newId(), tasks };
    if (encoded !== undefined) setTasksAhead(request, encoded);
    const { signal } = options;
    const attempt = () => this.#services.tasks.addTasks(request, signal === undefined ? {} : { signal });
    const response = await retrying(attempt, this.#retry, { ...options, call: "AddTasks" });
    const added = response.tasks;
    if (added.length !== tasks.length) throw shortAnswer();
    this.#metrics.added(
      added.length,
      added.reduce((count, { existed }) => (existed ? count + 1 : count), 0),
    );
    return added;
  }

  #getTasks(
    request: MessageInitShape<typeof GetTasksRequestSchema>,
    { waitMs = 0, signal }: { waitMs?: number; signal: AbortSignal | undefined },
  ): Promise<GetTasksResponse> {
    const { namespace, callTimeoutMs } = this.#config;
    const timeoutMs = waitMs + callTimeoutMs;
    return this.#retrying(
      "GetTasks",
      (call) => this.#services.tasks.getTasks({ ...request, namespace }, { ...call, timeoutMs }),
      signal,
    );
  }

  /** Those of a page that went into no answer with their payloads. @throws TqError `resource_exhausted` if nor without. */
  async #withoutPayloads(ids: readonly string[], signal: AbortSignal | undefined): Promise<readonly Task[]> {
    const { namespace } = this.#config;
    const tasks: Task[] = [];
    let pageToken = "";
    do {
      const request = { namespace, filter: encodeTaskFilter({ ids }), pageSize: ids.length, pageToken };
      const page = await this.#retrying("ListTasks", (call) => this.#services.tasks.listTasks(request, call), signal);
      if (page.omittedIds.length > 0) throw tooLarge(page.omittedIds);
      tasks.push(...page.tasks);
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    return tasks;
  }

  #retrying<T>(
    call: string,
    attempt: (options: { signal?: AbortSignal }) => Promise<T>,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    return retryingUntil(signal, attempt, this.#retry, call).catch((error: unknown) => {
      throw error instanceof TqError ? inOptionNames(error) : error;
    });
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

/** An error about one of several tasks, naming which. */
function ofTask(index: number, error: TqError): TqError {
  const task = `tasks[${index}]`;
  if (error.fields.length === 0) return error.with({ message: `${task}: ${error.message}` });
  let { message } = error;
  const fields = error.fields.map(({ field, description }) => {
    const named = field === "task" ? task : `${task}.${field}`;
    message = message.replace(field, () => named);
    return { field: named, description };
  });
  return error.with({ message, fields });
}

function closedError(message: string): TqError {
  return new TqError({ code: "canceled", message });
}

/** Tasks that go into no answer, however little of them is asked for. */
function tooLarge(ids: readonly string[]): TqError {
  return new TqError({
    code: "resource_exhausted",
    message: `The server's max_reply_bytes are too few for ${ids.map((id) => JSON.stringify(id)).join(", ")}: raise them`,
  });
}

/** The error of an answer that is not of the contract that this client knows. */
export function shortAnswer(): TqError {
  return new TqError({
    code: "internal",
    message: "The server's answer does not match the call: it is not of a version that this client knows",
  });
}
