// Interceptors, as in Temporal's SDK: objects with optional methods, each given the input of a call and `next`, which goes on
// with it. This file has what is common to those of clients and of workers, and then those of clients.

import type { CallOptions, CancelOptions, ListOptions, ResultOptions } from "./call-options.ts";
import type { NewTask } from "./new-task.ts";
import type { FoundTasks, TaskDescription } from "./task-description.ts";
import type { TaskFilter } from "./task-filter.ts";
import type { AddedTaskHandle, CancelStatusName } from "./task-handle.ts";

/** A method of an interceptor, once it is sure to be there. */
type Method<Interceptor, Name extends keyof Interceptor> = Extract<
  NonNullable<Interceptor[Name]>,
  (input: never, next: never) => unknown
>;

/** The input of an interceptor's method. */
export type InterceptorInput<Interceptor, Name extends keyof Interceptor> = Parameters<Method<Interceptor, Name>>[0];

/** What an interceptor's method answers. */
export type InterceptorOutput<Interceptor, Name extends keyof Interceptor> = ReturnType<Method<Interceptor, Name>>;

/** Goes on with a call: the next interceptor's method, and at last the call itself. */
export type Next<Interceptor, Name extends keyof Interceptor> = (
  input: InterceptorInput<Interceptor, Name>,
) => InterceptorOutput<Interceptor, Name>;

/**
 * One function of the methods of all interceptors that have it: the first one is outermost. Without any it is `innermost`
 * itself, so that what nobody intercepts costs nothing. Compose once, not with each call.
 */
export function composeInterceptors<Interceptor extends object, Name extends keyof Interceptor>(
  interceptors: readonly Interceptor[],
  name: Name,
  innermost: Next<Interceptor, Name>,
): Next<Interceptor, Name> {
  return interceptors.reduceRight<Next<Interceptor, Name>>((next, interceptor) => {
    const method = interceptor[name] as
      | ((
          input: InterceptorInput<Interceptor, Name>,
          next: Next<Interceptor, Name>,
        ) => InterceptorOutput<Interceptor, Name>)
      | undefined;
    return method === undefined ? next : (input) => method.call(interceptor, input, next);
  }, innermost);
}

/** Tasks that are to be added: one of `add`, or all of one `addMany`, which are added all or none. */
export interface AddInput {
  readonly tasks: readonly NewTask[];
  readonly options: CallOptions;
}

/** A result that is waited for. */
export interface ResultInput {
  readonly id: string;
  readonly options: ResultOptions;
}

/** Tasks that are to be canceled. */
export interface CancelInput {
  readonly ids: readonly string[];
  readonly options: CancelOptions;
}

/** Tasks that are read by their ids: by `get`, `getMany` and `describe`. */
export interface GetInput {
  readonly ids: readonly string[];
  readonly options: CallOptions;
}

/** Tasks that are listed. */
export interface ListInput {
  readonly filter: TaskFilter;
  readonly options: ListOptions;
}

/** What is answered for an activity by its token. */
export type AsyncAnswer =
  | { readonly kind: "completed"; readonly result: unknown }
  | { readonly kind: "failed"; readonly error: unknown }
  | { readonly kind: "canceled"; readonly details: unknown };

/** An activity is answered by its token. */
export interface RespondInput {
  readonly taskToken: Uint8Array;
  readonly answer: AsyncAnswer;
  readonly options: CallOptions;
}

/** Work on an activity goes on elsewhere. */
export interface AsyncHeartbeatInput {
  readonly taskToken: Uint8Array;
  readonly details: unknown;
  readonly options: CallOptions;
}

/** What a heartbeat hears. */
export interface HeartbeatReply {
  /** True once somebody asked for the task to be canceled: stop, and call {@link AsyncCompletionClient.reportCancellation}. */
  readonly cancelRequested: boolean;
  /** What was given as the reason of the cancel; empty if nothing. */
  readonly cancelReason: string;
}

/**
 * Sees every call about tasks on its way out, and its answer on the way back. A method may change the input (headers,
 * arguments, options), answer by itself, call `next` again, or throw; one that is left out lets everything pass. It is called
 * once for each call of a user, whatever the client makes of it (batches, repeats).
 *
 * ```ts
 * const tenant: ClientInterceptor = {
 *   add: ({ tasks, ...rest }, next) =>
 *     next({ ...rest, tasks: tasks.map((task) => ({ ...task, headers: { ...task.headers, tenant: current() } })) }),
 * };
 * ```
 */
export interface ClientInterceptor {
  /** `add`, `addMany`, `start` and `execute`. Answers a handle for each task, in order. */
  add?(input: AddInput, next: Next<ClientInterceptor, "add">): Promise<readonly AddedTaskHandle[]>;
  /** `result` and `execute`. Answers what the task's handler returned. */
  result?(input: ResultInput, next: Next<ClientInterceptor, "result">): Promise<unknown>;
  /** `cancel` and `cancelMany`. Answers a status for each id, in order. */
  cancel?(input: CancelInput, next: Next<ClientInterceptor, "cancel">): Promise<CancelStatusName[]>;
  /** `get`, `getMany` and `describe`. */
  get?(input: GetInput, next: Next<ClientInterceptor, "get">): Promise<FoundTasks>;
  /** `list`. Pages are fetched as what is answered here is iterated over. */
  list?(input: ListInput, next: Next<ClientInterceptor, "list">): AsyncIterable<TaskDescription>;
  /** `complete`, `fail` and `reportCancellation` of `asyncCompletion`. */
  respond?(input: RespondInput, next: Next<ClientInterceptor, "respond">): Promise<void>;
  /** `heartbeat` of `asyncCompletion`, and those that `hold` makes. */
  heartbeat?(input: AsyncHeartbeatInput, next: Next<ClientInterceptor, "heartbeat">): Promise<HeartbeatReply>;
}
