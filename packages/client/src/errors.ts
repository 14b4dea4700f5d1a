import { durationMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import type { ErrorReason } from "@tq/proto";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "@tq/proto/google/rpc";

/** The closed set of kinds of error; Connect's and gRPC's names. */
export type TqErrorCode =
  | "canceled"
  | "unknown"
  | "invalid_argument"
  | "deadline_exceeded"
  | "not_found"
  | "already_exists"
  | "permission_denied"
  | "resource_exhausted"
  | "failed_precondition"
  | "aborted"
  | "out_of_range"
  | "unimplemented"
  | "internal"
  | "unavailable"
  | "data_loss"
  | "unauthenticated";

const codeNames: Readonly<Record<Code, TqErrorCode>> = {
  [Code.Canceled]: "canceled",
  [Code.Unknown]: "unknown",
  [Code.InvalidArgument]: "invalid_argument",
  [Code.DeadlineExceeded]: "deadline_exceeded",
  [Code.NotFound]: "not_found",
  [Code.AlreadyExists]: "already_exists",
  [Code.PermissionDenied]: "permission_denied",
  [Code.ResourceExhausted]: "resource_exhausted",
  [Code.FailedPrecondition]: "failed_precondition",
  [Code.Aborted]: "aborted",
  [Code.OutOfRange]: "out_of_range",
  [Code.Unimplemented]: "unimplemented",
  [Code.Internal]: "internal",
  [Code.Unavailable]: "unavailable",
  [Code.DataLoss]: "data_loss",
  [Code.Unauthenticated]: "unauthenticated",
};

/** Why a call was refused, finer than its code: the names of the contract's `ErrorReason`, such as `"TASK_ID_TAKEN"`. */
export type ErrorReasonName = Exclude<keyof typeof ErrorReason, "UNSPECIFIED">;

/** One field of a request that was refused. */
export interface FieldViolation {
  /**
   * The option, as in `retry.maximumAttempts`; of one of several tasks, as in `tasks[3].retry.maximumAttempts`. Of a call of
   * `services`: the path in its request, as in `tasks[3].task_queue.name`.
   */
  readonly field: string;
  /** What is wrong with it. */
  readonly description: string;
}

/** What a {@link TqError} is made of. */
export interface TqErrorParts {
  readonly code: TqErrorCode;
  /** What happened, to what, and what to do about it. */
  readonly message: string;
  readonly reason?: ErrorReasonName | undefined;
  readonly fields?: readonly FieldViolation[] | undefined;
  readonly retryAfterMs?: number | undefined;
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  readonly cause?: unknown;
}

/**
 * The one error that calls of this package end with. Tell errors apart by `code` and `reason`; the message is for people.
 * How a task ended is told by other errors: see {@link TaskClosedError}.
 */
export class TqError extends Error {
  override readonly name = "TqError";
  /** What kind of error. */
  readonly code: TqErrorCode;
  /** Why, where the server said so. A newer server may say names that this version does not list. */
  readonly reason: ErrorReasonName | undefined;
  /** The fields that were refused; empty if it was not about fields. */
  readonly fields: readonly FieldViolation[];
  /** How long to wait before trying again, in milliseconds, where the server said so. */
  readonly retryAfterMs: number | undefined;
  /** What else the server said, such as `command_index` or `revision`. */
  readonly metadata: Readonly<Record<string, string>>;

  constructor(parts: TqErrorParts) {
    super(parts.message, parts.cause === undefined ? undefined : { cause: parts.cause });
    this.code = parts.code;
    this.reason = parts.reason;
    this.fields = parts.fields ?? [];
    this.retryAfterMs = parts.retryAfterMs;
    this.metadata = parts.metadata ?? {};
  }

  /** The same error, with some of its parts replaced. */
  with(parts: Partial<TqErrorParts>): TqError {
    const { code, message, reason, fields, retryAfterMs, metadata, cause } = this;
    return new TqError({ code, message, reason, fields, retryAfterMs, metadata, cause, ...parts });
  }
}

/** An `invalid_argument` about one field, made on this side of the wire and shaped as the server's are. */
export function invalidField(field: string, description: string, cause?: unknown): TqError {
  return new TqError({
    code: "invalid_argument",
    reason: "INVALID_FIELD",
    message: `${field}: ${description}`,
    fields: [{ field, description }],
    cause,
  });
}

/** Where a call went, for the text of its error. */
export interface CallSite {
  /** Base URL of the server; unset where a transport was passed in. */
  readonly address?: string | undefined;
  /** Name of the call, such as `AddTasks`. */
  readonly call?: string | undefined;
}

/** Node's codes for a connection that could not be made. */
const unreachable = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "EADDRNOTAVAIL",
  "UND_ERR_CONNECT_TIMEOUT",
]);
/** Codes of Node, and of its HTTP client undici, for a connection that broke, which Connect files under several of its own. */
const broken = new Set([
  "ECONNRESET",
  "ECONNABORTED",
  "EPIPE",
  "ETIMEDOUT",
  "ERR_STREAM_PREMATURE_CLOSE",
  "ERR_STREAM_DESTROYED",
  "ERR_STREAM_WRITE_AFTER_END",
  "ERR_HTTP2_INVALID_SESSION",
  "ERR_HTTP2_GOAWAY_SESSION",
  "ERR_HTTP2_SESSION_ERROR",
  "ERR_HTTP2_STREAM_CANCEL",
  "UND_ERR_SOCKET",
  "UND_ERR_DESTROYED",
  "UND_ERR_CLOSED",
]);

/**
 * Turns anything that a call may throw into a {@link TqError}. This is the one place where that is done; it is applied to
 * everything that leaves a {@link Client}, its `services` included.
 */
export function toTqError(error: unknown, site: CallSite = {}): TqError {
  if (error instanceof TqError) return error;
  const connectError = ConnectError.from(error, Code.Unknown);
  const network = networkFault(connectError, site);
  if (network !== undefined) return network;

  const info = connectError.findDetails(ErrorInfoSchema).find(({ domain }) => domain === "tq");
  const fields = connectError
    .findDetails(BadRequestSchema)
    .flatMap(({ fieldViolations }) => fieldViolations)
    .map(({ field, description }) => ({ field, description }));
  const retryDelay = connectError
    .findDetails(RetryInfoSchema)
    .find((retry) => retry.retryDelay !== undefined)?.retryDelay;
  return new TqError({
    code: codeNames[connectError.code],
    message: describe(connectError, info !== undefined, fields, site),
    reason: info === undefined ? undefined : (info.reason as ErrorReasonName),
    fields,
    retryAfterMs: retryDelay === undefined ? undefined : durationMs(retryDelay),
    metadata: info?.metadata,
    cause: error,
  });
}

function describe(error: ConnectError, fromTq: boolean, fields: readonly FieldViolation[], site: CallSite): string {
  const call = site.call ?? "The call";
  if (error.code === Code.DeadlineExceeded && !fromTq) {
    return `${call} was not answered within its deadline${at(site)}; it may have taken effect. Try again, or allow more time.`;
  }
  if (error.code === Code.Unimplemented && !fromTq) {
    return `${call} is not known${at(site)}: it is a tq server of another version, or no tq server (${error.rawMessage}).`;
  }
  const unnamed = fields.filter(({ field }) => !error.rawMessage.includes(field));
  const named = unnamed.map(({ field, description }) => `${field}: ${description}`).join("; ");
  return (
    [error.rawMessage, named].filter((part) => part !== "").join(": ") || `${call} failed: ${codeNames[error.code]}`
  );
}

/** The error for a connection that was never made or that broke; undefined if the error is another one. */
function networkFault(error: ConnectError, site: CallSite): TqError | undefined {
  const codes = nodeErrorCodes(error);
  const refused = codes.find((code) => unreachable.has(code));
  if (refused !== undefined) {
    const where = site.address === undefined ? "the tq server" : `a tq server at ${site.address}`;
    const message = `Cannot reach ${where} (${refused}). Start one with \`tq server start\`, or give another address.`;
    return new TqError({ code: "unavailable", message, cause: error });
  }
  const lost = codes.find((code) => broken.has(code));
  if (lost !== undefined) {
    const message = `The connection broke during ${site.call ?? "the call"}${at(site)} (${lost}); it may have taken effect. Try again.`;
    return new TqError({ code: "unavailable", message, cause: error });
  }
  return undefined;
}

function at(site: CallSite): string {
  return site.address === undefined ? "" : ` at ${site.address}`;
}

function nodeErrorCodes(error: unknown): string[] {
  const codes: string[] = [];
  const seen = new Set<unknown>();
  for (let next = error; next instanceof Error && !seen.has(next); next = next.cause) {
    seen.add(next);
    if ("code" in next && typeof next.code === "string") codes.push(next.code);
    // Node tries each address of a name, and says so in an aggregate.
    if (next instanceof AggregateError) codes.push(...next.errors.flatMap(nodeErrorCodes));
  }
  return codes;
}
