export { ApplicationFailure, type ApplicationFailureOptions, ensureApplicationFailure } from "@tq/client";
export { encodeFailure, isA } from "@tq/client/internal";

/**
 * Why a handler's signal was aborted: somebody asked for the task to be canceled; its start-to-close timeout is over; its
 * lease is gone (it may run elsewhere by now, and its answer will not count); or the worker is shutting down.
 */
export type CancellationReason = "CANCEL_REQUESTED" | "TIMED_OUT" | "LEASE_LOST" | "WORKER_SHUTDOWN";

/** The reason of a handler's `cancellationSignal`, and what `Context.sleep` throws when it is aborted. Let it through. */
export class CancelledFailure extends Error {
  override readonly name = "CancelledFailure";
  readonly reason: CancellationReason;

  constructor(reason: CancellationReason, message: string) {
    super(message);
    this.reason = reason;
  }
}

/** How deep a cause is looked for. */
const maxCauses = 10;

/**
 * Whether a handler threw because its signal was aborted: the signal's reason, another {@link CancelledFailure}, or an
 * `AbortError` of something it was passed to; by itself or as the cause of what was thrown.
 */
export function isCancellation(thrown: unknown, signal: AbortSignal): boolean {
  if (!signal.aborted) return false;
  let next = thrown;
  for (let depth = 0; depth < maxCauses; depth++) {
    if (next === signal.reason) return true;
    if (!(next instanceof Error)) return false;
    if (next instanceof CancelledFailure || next.name === "AbortError") return true;
    next = next.cause;
  }
  return false;
}
