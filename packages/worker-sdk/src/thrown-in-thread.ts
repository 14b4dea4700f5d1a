import { CompleteAsyncError } from "./complete-async-error.ts";
import { ApplicationFailure, isA } from "./failure.ts";
import { ReleaseToFallback } from "./release-to-fallback.ts";
import type { ThrownInThread } from "./thread-messages.ts";

/** An error's chain of causes is told so far. */
const maxCauses = 10;

/** What a handler threw, as it is told to the worker. What cannot be copied is described. */
export function toThrown(error: unknown, depth = maxCauses): ThrownInThread {
  if (!isA(error, Error)) {
    const said = typeof error === "string" ? error : `The handler threw ${describe(error)}, which is no Error`;
    return { name: "Error", message: said, stack: "" };
  }
  const { name, message, stack = "", cause } = error;
  if (isA(error, CompleteAsyncError)) return { name, message, stack, means: "CompleteAsync" };
  if (isA(error, ReleaseToFallback)) return { name, message, stack, means: "ReleaseToFallback" };
  const more = cause === undefined || depth === 0 ? {} : { cause: toThrown(cause, depth - 1) };
  if (!isA(error, ApplicationFailure)) return { name, message, stack, ...more };
  const { type, nonRetryable, nextRetryDelayMs } = error;
  const details = error.details.map(copyable);
  return { name, message, stack, failure: { type, nonRetryable, details, nextRetryDelayMs }, ...more };
}

/** The same error in the worker, with the stack that it had in the thread. */
export function fromThrown({ name, message, stack, failure, means, cause }: ThrownInThread): Error {
  if (means === "CompleteAsync") return new CompleteAsyncError();
  if (means === "ReleaseToFallback") return new ReleaseToFallback(message);
  const inner = cause === undefined ? {} : { cause: fromThrown(cause) };
  const error =
    failure === undefined
      ? Object.assign(new Error(message, inner), { name })
      : new ApplicationFailure({
          message,
          type: failure.type,
          nonRetryable: failure.nonRetryable,
          details: failure.details,
          ...(failure.nextRetryDelayMs !== undefined && { nextRetryDelay: failure.nextRetryDelayMs }),
          ...inner,
        });
  error.stack = stack;
  return error;
}

/** The value, or what is left of it where it cannot be copied to another thread. */
export function copyable(value: unknown): unknown {
  try {
    structuredClone(value);
    return value;
  } catch {
    return describe(value);
  }
}

function describe(value: unknown): string {
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return "something that cannot be described";
  }
}
