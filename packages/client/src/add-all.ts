import type { CallOptions } from "./call-options.ts";
import { invalidField, TqError } from "./errors.ts";
import { type KnownOptions, refuseUnknownOptions } from "./known-options.ts";
import type { NewTask } from "./new-task.ts";
import { optionalFunction, optionalSignal, shown } from "./option-checks.ts";
import type { AddedTaskHandle } from "./task-handle.ts";

/** Options of {@link TaskClient.addAll}. */
export interface AddAllOptions extends CallOptions {
  /** Hears of each task that was added, or was open already, with its place in the source. */
  readonly onAdded?: (handle: AddedTaskHandle, index: number) => void;
  /**
   * Hears of each task that was refused, and the others go on. Default: the first one that is refused ends it, with its error,
   * once those that are on their way are answered.
   */
  readonly onRefused?: (error: TqError, task: NewTask, index: number) => void;
}

const addAllOptions: KnownOptions<AddAllOptions> = { signal: true, onAdded: true, onRefused: true };

/** What {@link TaskClient.addAll} did. */
export interface AddAllSummary {
  /** Tasks that were added. */
  readonly added: number;
  /** Tasks whose id was open already. */
  readonly existed: number;
  /** Tasks that were refused. */
  readonly refused: number;
}

/** What adding a whole source needs. */
export interface AddAllCalls {
  /** Adds one. */
  readonly add: (task: NewTask, options: CallOptions) => Promise<AddedTaskHandle>;
  /** Resolves once there is room for another one; undefined: there is. */
  readonly room: (signal: AbortSignal | undefined) => Promise<void> | undefined;
}

/** Adds tasks as fast as the server takes them. See {@link TaskClient.addAll}. */
export async function addAll(
  source: Iterable<NewTask> | AsyncIterable<NewTask>,
  calls: AddAllCalls,
  options: AddAllOptions,
): Promise<AddAllSummary> {
  refuseUnknownOptions(options, addAllOptions);
  const { signal, onAdded, onRefused } = options;
  optionalSignal(signal, "signal");
  optionalFunction(onAdded, "onAdded");
  optionalFunction(onRefused, "onRefused");
  if (!isIterable(source)) throw invalidField("source", `${shown(source)} is nothing to iterate over`);
  /** Settled once all that were begun are answered. */
  const ended = Promise.withResolvers<void>();
  let underWay = 1;
  const end = () => {
    if (--underWay === 0) ended.resolve();
  };
  let added = 0;
  let existed = 0;
  let refused = 0;
  let failure: { readonly error: unknown } | undefined;
  const fail = (error: unknown): void => {
    failure ??= { error };
  };
  const addOne = async (task: NewTask, index: number) => {
    try {
      const handle = await calls.add(task, signal === undefined ? {} : { signal });
      if (handle.existed) existed++;
      else added++;
      onAdded?.(handle, index);
    } catch (error) {
      if (signal?.aborted === true || !(error instanceof TqError)) return fail(error);
      refused++;
      if (onRefused === undefined) fail(error.with({ message: `Task ${index} of the source: ${error.message}` }));
      else onRefused(error, task, index);
    }
  };
  try {
    let index = 0;
    for await (const task of source) {
      await calls.room(signal);
      signal?.throwIfAborted();
      if (failure !== undefined) break;
      // A listener that throws ends it like a refusal.
      underWay++;
      void addOne(task, index++).catch(fail).then(end);
    }
  } catch (error) {
    fail(error);
  }
  end();
  await ended.promise;
  if (failure !== undefined) throw failure.error;
  return { added, existed, refused };
}

/** Text can be iterated over, and is no source. */
function isIterable(source: unknown): boolean {
  return typeof source === "object" && source !== null && (Symbol.iterator in source || Symbol.asyncIterator in source);
}
