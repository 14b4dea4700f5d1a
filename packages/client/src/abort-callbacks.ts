import { ChurnMap } from "./churn-map.ts";

/** Those who wait for each signal. */
const callbacksOf = new WeakMap<AbortSignal, Callbacks>();

/**
 * Calls back once if a signal aborts, which must not have happened yet. One listener of the signal serves all: Node's
 * listeners form a list, and one that was removed keeps its neighbour. A signal that lives long and always has a listener,
 * as a worker's does, would keep all that its calls have made until the next large garbage collection.
 *
 * @returns forgets the callback
 */
export function onceAborted(signal: AbortSignal, callback: () => void): () => void {
  let callbacks = callbacksOf.get(signal);
  if (callbacks === undefined) callbacksOf.set(signal, (callbacks = new Callbacks(signal)));
  return callbacks.add(callback);
}

class Callbacks {
  readonly #waiting = new ChurnMap<() => void>();
  #added = 0;

  constructor(signal: AbortSignal) {
    signal.addEventListener("abort", () => this.#callAll(), { once: true });
  }

  add(callback: () => void): () => void {
    const key = String(this.#added++);
    this.#waiting.set(key, callback);
    return () => this.#waiting.delete(key);
  }

  #callAll(): void {
    for (const callback of this.#waiting) callback();
  }
}
