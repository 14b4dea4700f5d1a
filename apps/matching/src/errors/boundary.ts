import { randomUUID } from "node:crypto";
import {
  Code,
  ConnectError,
  createContextKey,
  type ContextValues,
  type HandlerContext,
  type Interceptor,
} from "@connectrpc/connect";
import { StoreError, type StoreErrorCode } from "@tq/storage";
import { ShuttingDown } from "../matching/matching.ts";
import { CallRefused, toConnectError } from "./call-refused.ts";
import type { Reason } from "./error-table.ts";

/** Something that went wrong inside the server, for its log. */
export interface Incident {
  /** Told to the client in place of the cause. */
  readonly id: string;
  /** The call, as "tq.v1.TaskService/AddTasks". */
  readonly call: string;
  readonly cause: unknown;
}

/** Writes an incident to the server's log. */
export type ReportIncident = (incident: Incident) => void;

const reasonOfStoreError: Readonly<Record<StoreErrorCode, Reason>> = {
  "shard-lost": "SHARD_LOST",
  lost: "SHARD_LOST",
  unavailable: "STORE_UNAVAILABLE",
  locked: "STORE_UNAVAILABLE",
  unusable: "STORE_UNAVAILABLE",
};

/**
 * Turns whatever a handler has thrown into what its caller gets. What is not known becomes INTERNAL: the cause goes to
 * the log under an incident id, and only the id to the caller.
 */
export function normalizeError(reason: unknown, call: string, report: ReportIncident): ConnectError {
  if (reason instanceof ConnectError) return reason;
  if (reason instanceof CallRefused) return toConnectError(reason);
  if (reason instanceof ShuttingDown) return toConnectError(new CallRefused("SHUTTING_DOWN", { cause: reason }));
  // The caller went away or gave up; nobody reads this.
  if (isCallersLeaving(reason)) return new ConnectError("the call was canceled", Code.Canceled);

  const id = randomUUID();
  report({ id, call, cause: reason });
  const metadata = { incident: id };
  if (reason instanceof StoreError) {
    return toConnectError(new CallRefused(reasonOfStoreError[reason.code], { metadata, cause: reason }));
  }
  return toConnectError(new CallRefused("INTERNAL", { subject: id, metadata, cause: reason }));
}

/** What Node says, beside AbortError, of a connection that ended in the middle of a request. */
const connectionLoss: ReadonlySet<unknown> = new Set([
  "ERR_STREAM_PREMATURE_CLOSE",
  "ERR_STREAM_DESTROYED",
  "ERR_HTTP2_STREAM_ERROR",
  "ERR_HTTP2_SESSION_ERROR",
  "ECONNRESET",
  "EPIPE",
]);

/** Whether this came of a caller that went away or gave up. */
export function isCallersLeaving(reason: unknown): boolean {
  if (!(reason instanceof Error)) return false;
  return reason.name === "AbortError" || ("code" in reason && connectionLoss.has(reason.code));
}

/** Set on a call once its request has been read and its handler runs. */
const handlerEntered = createContextKey(false);

/** Whether the request of a call was read, and its handler ran. */
export function wasRead(values: ContextValues): boolean {
  return values.get(handlerEntered);
}

/** Puts {@link normalizeError} around every handler. */
export function errorBoundary(report: ReportIncident): Interceptor {
  return (next) => async (request) => {
    request.contextValues.set(handlerEntered, true);
    const call = `${request.service.typeName}/${request.method.name}`;
    try {
      const response = await next(request);
      if (!response.stream) return response;
      return { ...response, message: normalizeStream(response.message, call, report) };
    } catch (reason) {
      throw normalizeError(reason, call, report);
    }
  };
}

async function* normalizeStream<Message>(
  messages: AsyncIterable<Message>,
  call: string,
  report: ReportIncident,
): AsyncIterable<Message> {
  try {
    yield* messages;
  } catch (reason) {
    throw normalizeError(reason, call, report);
  }
}

/**
 * Makes the errors clear that Connect itself finds in a request (malformed JSON, a body over the limit), before any
 * handler runs. To be given to Connect as `requestGate`.
 *
 * Connect offers no hook for these. But each of its protocols aborts the call's signal with the error just before it
 * writes that error out, and the listeners of a signal run at once; so the error is amended there, for all three
 * protocols alike. The specs of net/ hold it to that.
 */
export function clarifyUnreadable(maxRequestBytes: number): (context: HandlerContext) => void {
  return (context) => {
    context.signal.addEventListener("abort", () => {
      const error: unknown = context.signal.reason;
      if (!(error instanceof ConnectError) || wasRead(context.values)) return;
      const clear = clearError(error, context, maxRequestBytes);
      if (clear === undefined) return;
      Object.assign(error, { code: clear.code, message: clear.message, rawMessage: clear.rawMessage });
      error.details.push(...clear.details);
    });
  };
}

/** How much of Connect's own text is passed on, in characters. */
const longestCause = 500;

function clearError(error: ConnectError, context: HandlerContext, maxRequestBytes: number): ConnectError | undefined {
  if (error.code === Code.ResourceExhausted) {
    const message = `the request is over ${maxRequestBytes} bytes; split it over several calls`;
    return toConnectError(new CallRefused("REQUEST_TOO_LARGE", { message }));
  }
  // Connect says "internal" of a binary message that it cannot parse, which is no fault of the server.
  if (error.code === Code.InvalidArgument || error.code === Code.Internal) {
    // What was sent may be quoted in it, at any length.
    const cause = error.rawMessage.slice(0, longestCause);
    const message = `the request is not a valid ${context.method.input.typeName} (see proto/tq/v1): ${cause}`;
    return toConnectError(new CallRefused("INVALID_FIELD", { message }));
  }
  return undefined;
}
