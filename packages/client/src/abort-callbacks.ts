/** Those who wait for each signal. */
const callbacksOf = new WeakMap<AbortSignal, Set<() => void>>();

/**
 * Calls back once if a signal aborts, which must not have happened yet. One listener of the signal serves all: Node's
 * listeners form a list, and one that was removed keeps its neighbour. A signal that lives long and always has a listener,
 * as a worker's does, would keep all that its calls have made until the next large garbage collection.
 *
 * @returns forgets the callback
 */
export function onceAborted(signal: AbortSignal, callback: () => void): () => void {
  const callbacks = callbacksOf.get(signal) ?? watch(signal);
  callbacks.add(callback);
  return () => callbacks.delete(callback);
}

function watch(signal: AbortSignal): Set<() => void> {
  const callbacks = new Set<() => void>();
  callbacksOf.set(signal, callbacks);
  const callAll = (): void => {
    for (const callback of callbacks) {
      callbacks.delete(callback);
      callback();
    }
  };
  signal.addEventListener("abort", callAll, { once: true });
  return callbacks;
}
