import { TqError } from "@tq/client";
import { invalidField, shown } from "@tq/client/internal";

/**
 * Where a worker is in its life:
 *
 * - `INITIALIZED`: created; it was not told to run yet.
 * - `RUNNING`: takes tasks.
 * - `DRAINING`: an operator drained it. It takes nothing new and finishes what it has; then it stays, idle, until it is
 *   shut down, or drained no longer.
 * - `STOPPING`: `shutdown()` was called, or the worker cannot go on. It takes nothing new and finishes what it has.
 * - `STOPPED`: holds nothing any more; `run()` has resolved.
 * - `FAILED`: the same, but `run()` has rejected, since the server refuses this worker.
 */
export type WorkerState = "INITIALIZED" | "RUNNING" | "DRAINING" | "STOPPING" | "STOPPED" | "FAILED";

/** Hears of each change of a worker's state, as it happens. What it throws is logged, and changes nothing else. */
export type StateListener = (state: WorkerState, before: WorkerState) => void;

/** The states of a worker: which follows on which, and who hears of it. */
export class Lifecycle {
  readonly #listeners = new Set<StateListener>();
  readonly #stopping = Promise.withResolvers<void>();
  #state: WorkerState = "INITIALIZED";
  readonly #onListenerFailed: (error: unknown) => void;
  #failure: TqError | undefined;

  /** @param onListenerFailed hears of what a listener throws */
  constructor(onListenerFailed: (error: unknown) => void) {
    this.#onListenerFailed = onListenerFailed;
  }

  /** Where the worker is now. */
  get state(): WorkerState {
    return this.#state;
  }

  /** Why the worker could not go on, if that is how it came to stop. */
  get failure(): TqError | undefined {
    return this.#failure;
  }

  /** Resolves once the worker is to stop. */
  get stopping(): Promise<void> {
    return this.#stopping.promise;
  }

  /** Calls back at each change. Answers how to take that back. */
  onChange(listener: StateListener): () => void {
    const given: unknown = listener;
    if (typeof given !== "function") throw invalidField("listener", `${shown(given)} is no function`);
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** INITIALIZED → RUNNING. @throws TqError `failed_precondition` from any other state. */
  begin(): void {
    if (this.#state !== "INITIALIZED") {
      throw new TqError({
        code: "failed_precondition",
        message: `The worker is ${this.#state}: a worker runs once. Create another.`,
      });
    }
    this.#become("RUNNING");
  }

  /** RUNNING ⇄ DRAINING; in any other state it means nothing. Answers whether anything changed. */
  drain(isRequested: boolean): boolean {
    const next = isRequested ? "DRAINING" : "RUNNING";
    if (this.#state === next || (this.#state !== "RUNNING" && this.#state !== "DRAINING")) return false;
    this.#become(next);
    return true;
  }

  /** RUNNING or DRAINING → STOPPING. Before the worker ran it stays as it is, and stops as soon as it runs. */
  stop(): void {
    if (this.#state === "RUNNING" || this.#state === "DRAINING") this.#become("STOPPING");
    this.#stopping.resolve();
  }

  /** It cannot go on: stops, and will have FAILED. */
  fail(error: TqError): void {
    this.#failure ??= error;
    this.stop();
  }

  /** The last change: STOPPED, or FAILED. */
  end(): void {
    this.#become(this.#failure === undefined ? "STOPPED" : "FAILED");
  }

  #become(state: WorkerState): void {
    const before = this.#state;
    if (state === before) return;
    this.#state = state;
    for (const listener of this.#listeners) {
      try {
        listener(state, before);
      } catch (error) {
        // The others are still to hear of it, and who changed the state has more to do.
        this.#onListenerFailed(error);
      }
    }
  }
}
