/*
 * Unary Connect calls over HTTP/1.1. Connect's own transport for Node makes a request object, two header objects, several
 * async iterators and a signal with a timer for each call, over Node's HTTP client, which is the slower of Node's two. This
 * one hands the bytes of a message to undici and takes those of the answer, with the same protocol and the same errors; and
 * those of the calls that every task passes through to a server that takes frames.
 */
import {
  create,
  type DescMessage,
  type DescMethodUnary,
  type DescService,
  isMessage,
  type MessageShape,
} from "@bufbuild/protobuf";
import { Code, ConnectError, type Transport, type UnaryResponse } from "@connectrpc/connect";
import { codeFromHttpStatus, errorFromJsonBytes } from "@connectrpc/connect/protocol-connect";
import { type Dispatcher, Pool } from "undici";
import { framedCallBytes, framedMethods } from "@tq/proto/wire";
import { onceAborted } from "./abort-callbacks.ts";
import { FramedCalls } from "./framed-calls.ts";
import { decodeMessage, encodeMessage } from "./wire/hot-messages.ts";

/** Unary calls to one server, and how to close the connections that they keep. */
export interface UnaryCalls {
  readonly unary: Transport["unary"];
  /** Resolves once they are closed. */
  close(): Promise<void>;
}

/** An idle connection is kept for so long, unless the server says another time: a call that finds it closed has to be made again. */
const keepAliveMs = 60_000;

/** Unary calls to `baseUrl`. Connections are opened as calls need them: each call that is held open takes one. */
export function openUnaryCalls(baseUrl: string): UnaryCalls {
  const url = new URL(baseUrl);
  const { origin, pathname } = url;
  // Behind TLS, or a path, is a proxy.
  const frames = url.protocol === "http:" && pathname === "/" ? new FramedCalls(url) : undefined;
  const prefix = pathname.replace(/\/$/, "");
  const pool = new Pool(origin, {
    connections: null,
    pipelining: 1,
    // A call has its own deadline.
    headersTimeout: 0,
    bodyTimeout: 0,
    keepAliveTimeout: keepAliveMs,
  });
  return {
    async unary(method, signal, timeoutMs, header, input, _contextValues) {
      const message = isMessage(input, method.input) ? input : create(method.input, input);
      const bytes = bytesOf(method.input, message);
      const kind = framedMethods.indexOf(method);
      // Frames have no place for more headers.
      if (frames !== undefined && kind >= 0 && header === undefined && bytes.length <= framedCallBytes) {
        if (signal?.aborted === true) throw ConnectError.from(signal.reason, Code.Canceled);
        const reply = await frames.call({ kind, bytes, signal, timeoutMs: Math.max(0, timeoutMs ?? 0) });
        if (reply !== undefined) return new UnaryAnswer(method, noHeaders, decodeMessage(method.output, reply));
      }
      const request: Dispatcher.DispatchOptions = {
        path: `${prefix}/${method.parent.typeName}/${method.name}`,
        method: "POST",
        headers: headersOf(header, timeoutMs),
        body: bytes,
      };
      const answer = await dispatch(pool, request, signal, timeoutMs);
      return new UnaryAnswer(method, answer.headers, decodeMessage(method.output, bodyOf(answer)));
    },
    close: async () => {
      await Promise.all([frames?.close(), pool.destroy()]);
    },
  };
}

/** @throws ConnectError `InvalidArgument` if the message cannot be written down: it is the caller's fault, and no use to try again. */
function bytesOf<Schema extends DescMessage>(schema: Schema, message: MessageShape<Schema>): Uint8Array {
  try {
    return encodeMessage(schema, message);
  } catch (error) {
    throw ConnectError.from(error, Code.InvalidArgument);
  }
}

/**
 * A class, since V8 gives each object of a literal that has getters a shape of its own, which keeps what the getters know
 * until the next large garbage collection.
 */
class UnaryAnswer<Input extends DescMessage, Output extends DescMessage> implements UnaryResponse<Input, Output> {
  readonly stream = false;
  readonly service: DescService;
  readonly method: DescMethodUnary<Input, Output>;
  readonly message: MessageShape<Output>;
  readonly #headers: Answer["headers"];

  constructor(method: DescMethodUnary<Input, Output>, headers: Answer["headers"], message: MessageShape<Output>) {
    this.service = method.parent;
    this.method = method;
    this.message = message;
    this.#headers = headers;
  }

  /** Hardly anybody looks at these. */
  get header(): Headers {
    return toHeaders(this.#headers);
  }

  get trailer(): Headers {
    return new Headers();
  }
}

/** A reply in a frame has none. */
const noHeaders: Answer["headers"] = {};

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Uint8Array;
}

function headersOf(header: Parameters<Transport["unary"]>[3], timeoutMs: number | undefined): Record<string, string> {
  const headers: Record<string, string> = { "content-type": "application/proto", "connect-protocol-version": "1" };
  if (timeoutMs !== undefined && timeoutMs > 0) headers["connect-timeout-ms"] = `${timeoutMs}`;
  // Connect's own name for the type means the DOM's, which is not loaded here.
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

function toHeaders(headers: Answer["headers"]): Headers {
  const all = new Headers();
  for (const [name, values] of Object.entries(headers))
    for (const value of Array.isArray(values) ? values : [values]) if (value !== undefined) all.append(name, value);
  return all;
}
