import type {
  ActivityArgs,
  ActivityName,
  ActivityOptions as TaskActivityOptions,
  ActivityResult,
  Duration,
} from "@tq/client";
import type { Failure } from "./history.ts";

/**
 * How workflows are written: as generators, in which `yield*` waits. A generator runs without a break from one wait to
 * the next and cannot `await`, so nothing gets into it but what its history holds. Everything else that makes two runs
 * differ (the time, chance, files) belongs into activities.
 */
export type Steps<R> = Generator<void, R, void>;

/** A workflow: `function* (wf, ...args)`. Arguments and result are JSON. */
// Methods are compared bivariantly, which lets one table hold workflows of all arguments without `any`.
export type WorkflowFunction<Args extends readonly unknown[] = readonly never[], R = unknown> = (
  wf: Workflow,
  ...args: Args
) => Steps<R>;

/** Workflows by their types. */
export type WorkflowTable = Readonly<Record<string, WorkflowFunction>>;

/** Arguments of a workflow. */
export type WorkflowArgs<F> = F extends (wf: Workflow, ...args: infer Args) => unknown ? Args : never;

/** How activities are run: queue, retries, timeouts, priority. The engine sees to ids and outcomes. */
export type ActivityOptions = Omit<TaskActivityOptions, "id" | "idPolicy" | "onClose" | "fallback">;

/** Starts activities by name; `A` is the type of the object or module that has them. */
export interface Activities<A extends object> {
  start<N extends ActivityName<A>>(name: N, ...args: ActivityArgs<A, N>): Future<ActivityResult<A, N>>;
}

/** What a workflow can ask and do. Nothing of it waits: `yield*` a {@link Future} to do that. */
export interface Workflow {
  readonly id: string;
  /** When the event that is being handled came in, in milliseconds since the epoch. */
  readonly nowMs: number;
  /** Activities on one queue. */
  activities<A extends object>(options: ActivityOptions): Activities<A>;
  timer(delay: Duration): Future<void>;
  /** The next signal of this name that no earlier future has taken, received already or not. */
  signal<T>(name: string): Future<T>;
  /**
   * Gives up waiting. A timer or signal fails at once with type `"Canceled"`; an activity is told, and its future says
   * what came of it. What a workflow leaves open when it ends is canceled too.
   */
  cancel(future: Future<unknown>, reason?: string): void;
  /** Starts another workflow; one that has been started already is left as it is. */
  start(type: string, id: string, ...args: readonly unknown[]): void;
  /** Signals to another workflow. */
  send(type: string, id: string, signal: string, value?: unknown): void;
}

/** An activity failed for good, timed out or was canceled; or a canceled timer or signal was waited for. */
export class ActivityError extends Error {
  override readonly name = "ActivityError";
  readonly failure: Failure;

  constructor(failure: Failure) {
    super(`${failure.type}: ${failure.message}`);
    this.failure = failure;
  }
}

type Settled<T> = { readonly value: T } | { readonly failure: Failure };

/** Something that a workflow has asked for. `yield*` waits for it, and returns its value or throws an {@link ActivityError}. */
export class Future<T> {
  #settled: Settled<T> | undefined;

  /** Whether `yield*` would not wait. */
  get isSettled(): boolean {
    return this.#settled !== undefined;
  }

  /** Made and settled by the engine; only the first time counts. */
  settle(settled: Settled<T>): void {
    this.#settled ??= settled;
  }

  *[Symbol.iterator](): Steps<T> {
    while (this.#settled === undefined) yield;
    if ("failure" in this.#settled) throw new ActivityError(this.#settled.failure);
    return this.#settled.value;
  }
}

type Values<F extends readonly unknown[]> = { [K in keyof F]: F[K] extends Future<infer T> ? T : never };

/** Waits for all of them; throws as soon as it meets one that failed. */
export function* all<const F extends readonly Future<unknown>[]>(...futures: F): Steps<Values<F>> {
  const values: unknown[] = [];
  for (const future of futures) values.push(yield* future);
  return values as Values<F>;
}

/** Waits for one of them, and returns that future, settled. The others go on. */
export function* first<const F extends readonly Future<unknown>[]>(...futures: F): Steps<F[number]> {
  for (;;) {
    const settled = futures.find((future) => future.isSettled);
    if (settled !== undefined) return settled;
    yield;
  }
}
