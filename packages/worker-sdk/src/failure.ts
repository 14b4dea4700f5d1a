import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { type Duration, durationToMs, encodePayload, type PayloadConverter } from "@tq/client";
import { type Failure, FailureSchema, type Payload } from "@tq/proto";

/** What an {@link ApplicationFailure} is made of. */
export interface ApplicationFailureOptions {
  readonly message?: string;
  /** What kind, for retry policies and for people. At most 200 bytes. Default `Error`. */
  readonly type?: string;
  /** True: never tried again. Default false: as the retry policy has it. */
  readonly nonRetryable?: boolean;
  /** Values to go with it; they must be serialisable. Default none. */
  readonly details?: readonly unknown[];
  /** Wait before the next attempt, instead of the retry policy's. Default: the policy's. */
  readonly nextRetryDelay?: Duration;
  readonly cause?: unknown;
}

/** Thrown by a handler to say how its attempt failed. Any other error is a retryable failure whose type is its name. */
export class ApplicationFailure extends Error {
  override readonly name = "ApplicationFailure";
  readonly type: string;
  readonly nonRetryable: boolean;
  readonly details: readonly unknown[];
  readonly nextRetryDelayMs: number | undefined;

  constructor(options: ApplicationFailureOptions = {}) {
    super(options.message ?? "", options.cause === undefined ? undefined : { cause: options.cause });
    this.type = options.type ?? "Error";
    this.nonRetryable = options.nonRetryable ?? false;
    this.details = options.details ?? [];
    this.nextRetryDelayMs =
      options.nextRetryDelay === undefined ? undefined : durationToMs(options.nextRetryDelay, "nextRetryDelay");
  }

  /** A failure of these parts. */
  static create(options: ApplicationFailureOptions): ApplicationFailure {
    return new ApplicationFailure(options);
  }

  /**
   * A failure that says of an error what it is, and what `overrides` say instead. The error's stack stays, and it is the
   * cause; of an {@link ApplicationFailure} everything is kept that is not replaced. What was thrown need not be an error.
   */
  static fromError(error: unknown, overrides: ApplicationFailureOptions = {}): ApplicationFailure {
    const failure = new ApplicationFailure({ ...partsOf(error), cause: error, ...overrides });
    const stack = isA(error, Error) ? textOr(error.stack, "") : "";
    if (stack !== "") failure.stack = stack;
    return failure;
  }

  /** A failure that is tried again as the retry policy has it. */
  static retryable(message?: string, type?: string, ...details: unknown[]): ApplicationFailure {
    return new ApplicationFailure({ ...given(message, type), details });
  }

  /** A failure that is never tried again. */
  static nonRetryable(message?: string, type?: string, ...details: unknown[]): ApplicationFailure {
    return new ApplicationFailure({ ...given(message, type), details, nonRetryable: true });
  }
}

/** The error itself if it is an {@link ApplicationFailure}; otherwise {@link ApplicationFailure.fromError} of it. */
export function ensureApplicationFailure(error: unknown): ApplicationFailure {
  return isA(error, ApplicationFailure) ? error : ApplicationFailure.fromError(error);
}

function partsOf(error: unknown): ApplicationFailureOptions {
  try {
    if (error instanceof ApplicationFailure) {
      const { message, type, nonRetryable, details, nextRetryDelayMs } = error;
      const delay = nextRetryDelayMs === undefined ? {} : { nextRetryDelay: nextRetryDelayMs };
      return { message, type, nonRetryable, details, ...delay };
    }
    if (error instanceof Error) return { message: textOr(error.message, ""), type: textOr(error.name, "Error") };
    return { message: describeThrown(error) };
  } catch {
    return { message: undescribable };
  }
}

function given(message: string | undefined, type: string | undefined): ApplicationFailureOptions {
  return { ...(message !== undefined && { message }), ...(type !== undefined && { type }) };
}

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

/** Whether something is an object of a class. A proxy that throws when it is looked at is none. */
export function isA<T>(value: unknown, type: abstract new (...args: never[]) => T): value is T {
  try {
    return value instanceof type;
  } catch {
    return false;
  }
}

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

const undescribable = "The handler threw something that cannot be described";

/** Failures are kept with the task and shown to people: what is longer is cut, and says so. The contract takes 2 MiB. */
const maxTextBytes = 32 * 1024;
const maxDetailsBytes = 1024 * 1024;
const maxTypeBytes = 200;
const maxCauses = 10;

/** The contract's failure of anything that a handler may throw. Never throws itself. */
export function encodeFailure(thrown: unknown, converter: PayloadConverter): Failure {
  try {
    return encodeCause(thrown, converter, maxCauses);
  } catch {
    // A proxy, or an error whose properties throw when they are read.
    return create(FailureSchema, { type: "Error", message: undescribable });
  }
}

function encodeCause(thrown: unknown, converter: PayloadConverter, depth: number): Failure {
  if (!(thrown instanceof Error)) {
    return create(FailureSchema, { type: "Error", message: cut(describeThrown(thrown), maxTextBytes) });
  }
  const { cause } = thrown;
  const failure = create(FailureSchema, {
    type: cut(thrown instanceof ApplicationFailure ? thrown.type : textOr(thrown.name, "Error"), maxTypeBytes),
    message: cut(textOr(thrown.message, ""), maxTextBytes),
    stackTrace: cut(textOr(thrown.stack, ""), maxTextBytes),
    ...(cause !== undefined && depth > 0 && { cause: encodeCause(cause, converter, depth - 1) }),
  });
  if (thrown instanceof ApplicationFailure) {
    failure.nonRetryable = thrown.nonRetryable;
    failure.details = encodeDetails(thrown.details, converter);
    if (thrown.nextRetryDelayMs !== undefined)
      failure.nextRetryDelay = durationFromMs(Math.round(thrown.nextRetryDelayMs));
  }
  return failure;
}

function encodeDetails(details: readonly unknown[], converter: PayloadConverter): Payload[] {
  let bytes = 0;
  return details.map((detail) => {
    let payload: Payload;
    try {
      payload = converter.toPayload(detail);
    } catch (error) {
      return encodePayload(
        `[a detail that cannot be serialised: ${error instanceof Error ? error.message : "unknown"}]`,
      );
    }
    bytes += payload.body.value?.length ?? 0;
    return bytes > maxDetailsBytes ? encodePayload("[a detail that is too large]") : payload;
  });
}

function describeThrown(thrown: unknown): string {
  if (typeof thrown === "string") return thrown;
  if (typeof thrown === "object" && thrown !== null) {
    try {
      return `The handler threw ${JSON.stringify(thrown)}, which is no Error`;
    } catch {
      return "The handler threw an object that is no Error";
    }
  }
  return `The handler threw ${String(thrown)}, which is no Error`;
}

function textOr(value: unknown, otherwise: string): string {
  return typeof value === "string" && value !== "" ? value : otherwise;
}

/** At most `maxBytes` of UTF-8; what is longer ends in a mark that says how long it was. */
function cut(text: string, maxBytes: number): string {
  const bytes = Buffer.byteLength(text);
  if (bytes <= maxBytes) return text;
  const mark = `… [${bytes} bytes]`;
  const kept = Buffer.from(text)
    .subarray(0, maxBytes - Buffer.byteLength(mark))
    .toString();
  // A character cut in two decodes to one that is longer than what was left of it.
  return kept.replace(/\uFFFD$/, "") + mark;
}
