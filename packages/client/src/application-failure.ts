import { type Duration, durationToMs } from "./duration.ts";
import { describeThrown, describeValue, isA, textOr, undescribable } from "./thrown.ts";

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
    // What a program in JavaScript gives may be anything, such as an error's numeric code for a type. It is being thrown: what
    // it says must not get lost for that.
    const { type = "Error", details = [] }: { readonly type?: unknown; readonly details?: unknown } = options;
    this.type = typeof type === "string" ? type : describeValue(type);
    this.nonRetryable = Boolean(options.nonRetryable);
    this.details = Array.isArray(details) ? details : [details];
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
