/*
 * Unary Connect calls over HTTP/1.1. Connect's own transport for Node makes a request object, two header objects, several
 * async iterators and a signal with a timer for each call, over Node's HTTP client, which is the slower of Node's two. This
 * one hands the bytes of a message to undici and takes those of the answer, with the same protocol and the same errors.
 */
import { Code, ConnectError } from "@connectrpc/connect";
import { codeFromHttpStatus, errorFromJsonBytes } from "@connectrpc/connect/protocol-connect";
import { type Dispatcher, Pool } from "undici";
import { onceAborted } from "./abort-callbacks.ts";

/** An idle connection is kept for so long, unless the server says another time: a call that finds it closed has to be made again. */
const keepAliveMs = 60_000;

/** What a call takes with it. */
export interface HttpRequest {
  /** Such as "tq.v1.TaskService/AddTasks". */
  readonly name: string;
  readonly bytes: Uint8Array;
  /** More headers, as Connect takes them: its own name for the type means the DOM's, which is not loaded here. */
  readonly header: unknown;
  readonly signal: AbortSignal | undefined;
  readonly timeoutMs: number | undefined;
}

/** A message, and the headers that came with it. */
export interface HttpReply {
  readonly bytes: Uint8Array;
  readonly headers: AnswerHeaders;
}

/** Headers of an answer, as undici has them. */
export type AnswerHeaders = Readonly<Record<string, string | string[] | undefined>>;

/** Calls over HTTP to one server. Connections are opened as calls need them: each call that is held open takes one. */
export class HttpCalls {
  readonly #pool: Pool;
  readonly #prefix: string;

  constructor({ origin, pathname }: URL) {
    this.#prefix = pathname.replace(/\/$/, "");
    this.#pool = new Pool(origin, {
      connections: null,
      pipelining: 1,
      // A call has its own deadline.
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: keepAliveMs,
    });
  }

  /** @throws ConnectError what the server says, or that the call was canceled or its time is over. @throws Error undici's, if the connection broke */
  async call({ name, bytes, header, signal, timeoutMs }: HttpRequest): Promise<HttpReply> {
    const request: Dispatcher.DispatchOptions = {
      path: `${this.#prefix}/${name}`,
      method: "POST",
      headers: headersOf(header, timeoutMs),
      body: bytes,
    };
    const answer = await dispatch(this.#pool, request, signal, timeoutMs);
    return { bytes: bodyOf(answer), headers: answer.headers };
  }

  /** Ends what is under way, and resolves once all connections are closed. */
  async close(): Promise<void> {
    await this.#pool.destroy();
  }
}

interface Answer {
  readonly status: number;
  readonly headers: AnswerHeaders;
  readonly body: Uint8Array;
}

function headersOf(header: unknown, timeoutMs: number | undefined): Record<string, string> {
  const headers: Record<string, string> = { "content-type": "application/proto", "connect-protocol-version": "1" };
  if (timeoutMs !== undefined && timeoutMs > 0) headers["connect-timeout-ms"] = `${timeoutMs}`;
  const more = header as ConstructorParameters<typeof Headers>[0];
  if (more !== undefined) new Headers(more).forEach((value, name) => (headers[name] = value));
  return headers;
}

async function dispatch(
  pool: Pool,
  request: Dispatcher.DispatchOptions,
  signal: AbortSignal | undefined,
  timeoutMs: number | undefined,
): Promise<Answer> {
  if (signal?.aborted === true) throw ConnectError.from(signal.reason, Code.Canceled);
  return new Promise((resolve, reject) => {
    let controller: Dispatcher.DispatchController | undefined;
    let ended: Error | undefined;
    let status = 0;
    let headers: Answer["headers"] = {};
    const chunks: Uint8Array[] = [];
    const end = (reason: Error): void => {
      ended ??= reason;
      finish();
      reject(ended);
      controller?.abort(ended);
    };
    const onAbort = (): void => end(ConnectError.from(signal?.reason, Code.Canceled));
    const timer =
      timeoutMs === undefined || timeoutMs <= 0
        ? undefined
        : setTimeout(() => end(new ConnectError("the operation timed out", Code.DeadlineExceeded)), timeoutMs);
    const forget = signal && onceAborted(signal, onAbort);
    const finish = (): void => {
      clearTimeout(timer);
      forget?.();
    };
    pool.dispatch(request, {
      onRequestStart(started) {
        controller = started;
        if (ended !== undefined) started.abort(ended);
      },
      onResponseStart(_controller, statusCode, fields) {
        status = statusCode;
        headers = fields;
      },
      onResponseData(_controller, chunk) {
        chunks.push(chunk);
      },
      onResponseEnd() {
        finish();
        const [only] = chunks;
        const { buffer, byteOffset, length } = only !== undefined && chunks.length === 1 ? only : Buffer.concat(chunks);
        resolve({ status, headers, body: new Uint8Array(buffer, byteOffset, length) });
      },
      onResponseError(_controller, error) {
        finish();
        reject(error);
      },
    });
  });
}

/** The bytes of the answer's message. @throws ConnectError if it is an error, or no answer to such a call. */
function bodyOf(answer: Answer): Uint8Array {
  const { status, headers, body } = answer;
  const contentType = headers["content-type"];
  const encoding = headers["content-encoding"];
  if (encoding !== undefined && encoding !== "identity")
    throw new ConnectError(`unsupported response encoding ${JSON.stringify(encoding)}`, Code.Internal);
  if (status === 200) {
    if (contentType === "application/proto") return body;
    throw new ConnectError(`unsupported content type ${JSON.stringify(contentType)}`, Code.Unknown);
  }
  const fallback = new ConnectError(`HTTP ${status}`, codeFromHttpStatus(status), toHeaders(headers));
  if (typeof contentType !== "string" || !contentType.startsWith("application/json")) throw fallback;
  throw errorFromJsonBytes(body, toHeaders(headers), fallback);
}

/** The same as the platform has them. */
export function toHeaders(headers: AnswerHeaders): Headers {
  const all = new Headers();
  for (const [name, values] of Object.entries(headers))
    for (const value of Array.isArray(values) ? values : [values]) if (value !== undefined) all.append(name, value);
  return all;
}
