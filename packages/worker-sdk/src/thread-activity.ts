import { availableParallelism } from "node:os";
import type { ResourceLimits } from "node:worker_threads";
import { type Duration, durationToMs } from "@tq/client";
import {
  invalidField,
  type KnownOptions,
  optionalBoolean,
  refuseUnknownOptions,
  requireRecord,
  requireText,
} from "@tq/client/internal";
import { Context } from "./context.ts";
import { ThreadPool } from "./thread-pool.ts";

/** Options of {@link threadActivity}. */
export interface ThreadActivityOptions {
  /** The name that the module exports the handler under. Default `default`. */
  readonly export?: string;
  /**
   * Threads at most, 1 to 1,000; handlers beyond that wait, with their leases kept. Default: as many as the machine runs at
   * once, since more do not compute faster.
   */
  readonly maxThreads?: number;
  /** How long a thread without work is kept for the next handler. Default 30 s: starting one takes about 50 ms. */
  readonly idleTimeout?: Duration;
  /**
   * How long a handler may go on once its start-to-close timeout is over or its lease is lost. Then its thread is
   * terminated: what it would answer does not count any more. Default 1 s: time to put something away.
   */
  readonly terminateAfter?: Duration;
  /** Also terminates the thread that long after a cancel request. Default false: a handler may ignore it, as any other. */
  readonly terminateOnCancel?: boolean;
  /** Limits of a thread's memory: see Node's `resourceLimits`. One that goes over them fails its attempt. Default: Node's. */
  readonly resourceLimits?: ResourceLimits;
}

const threadOptions: KnownOptions<ThreadActivityOptions> = {
  export: true,
  maxThreads: true,
  idleTimeout: true,
  terminateAfter: true,
  terminateOnCancel: true,
  resourceLimits: true,
};

/** An activity with the arguments and the result of `F`, which runs in a thread. */
export type ThreadActivity<F extends (...args: never[]) => unknown> = (
  ...args: Parameters<F>
) => Promise<Awaited<ReturnType<F>>>;

/** Where an activity made by {@link threadActivity} keeps its pool, for the worker that it is registered with. */
const threadPoolOf = Symbol("tq thread pool");

/**
 * An activity that runs in a thread of its own: for handlers that compute for long without a pause. However busy it is, it
 * holds up no other handler; its start-to-close timeout terminates the thread; and a thread that crashes, runs out of
 * memory or calls `process.exit` fails that attempt alone. `module` is where the handler is.
 *
 *     activities: { resize: threadActivity<typeof resize>(new URL("./resize.js", import.meta.url), { export: "resize" }) }
 *
 * Arguments, result and heartbeat details are copied between threads, so they are plain data. Of `Context.current()` the
 * handler has `info`, `cancellationSignal`, `sleep`, `heartbeat`, `log` and `completeAsync`; it has no `client` and no `cache`, and asking
 * for one is an error that says so. A signal is heard between two turns of the
 * thread's event loop, so a loop without a pause does not hear it.
 *
 * @throws TqError `invalid_argument` naming an option that is wrong
 */
export function threadActivity<F extends (...args: never[]) => unknown = (...args: unknown[]) => unknown>(
  module: URL | string,
  options: ThreadActivityOptions = {},
): ThreadActivity<F> {
  refuseUnknownOptions(options, threadOptions);
  const url = moduleUrl(module);
  if (options.export !== undefined) requireText(options.export, "export");
  optionalBoolean(options.terminateOnCancel, "terminateOnCancel");
  if (options.resourceLimits !== undefined) requireRecord(options.resourceLimits, "resourceLimits");
  const { export: exportName = "default", maxThreads = availableParallelism() } = options;
  if (!Number.isInteger(maxThreads) || maxThreads < 1 || maxThreads > 1_000)
    throw invalidField("maxThreads", `${maxThreads} is no whole number from 1 to 1,000`);
  const pool = new ThreadPool({
    maxThreads,
    idleMs: durationToMs(options.idleTimeout ?? "30s", "idleTimeout"),
    terminateAfterMs: durationToMs(options.terminateAfter ?? "1s", "terminateAfter"),
    terminatesOnCancel: options.terminateOnCancel ?? false,
    resourceLimits: options.resourceLimits,
  });
  const activity = async (...args: unknown[]): Promise<unknown> =>
    pool.run({ module: url, exportName, args, context: Context.current() });
  // What the handler returns has been copied from its thread.
  return Object.assign(activity, { [threadPoolOf]: pool }) as ThreadActivity<F>;
}

/** The pools of the activities among the properties of an object or module. */
export function threadPoolsOf(activities: object): ReadonlySet<ThreadPool> {
  const pools = new Set<ThreadPool>();
  for (const value of Object.values(activities) as unknown[]) {
    if (typeof value !== "function") continue;
    const pool: unknown = Reflect.get(value, threadPoolOf);
    if (pool instanceof ThreadPool) pools.add(pool);
  }
  return pools;
}

function moduleUrl(module: URL | string): string {
  const url = URL.parse(String(module));
  if (url === null)
    throw invalidField("module", 'write new URL("./handler.js", import.meta.url): threads find a module by its URL');
  return url.href;
}
