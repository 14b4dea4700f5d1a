/*
 * Unary calls to a tq server: in frames where it takes them, else over HTTP, with the same errors.
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
import { framedCallBytes, framedMethods } from "@tq/proto/wire";
import { FramedCalls } from "./framed-calls.ts";
import { type AnswerHeaders, HttpCalls, toHeaders } from "./http-calls.ts";
import { decodeMessage, encodeMessage } from "./wire/hot-messages.ts";

/** Unary calls to one server, and how to close the connections that they keep. */
export interface UnaryCalls {
  readonly unary: Transport["unary"];
  /** Resolves once they are closed. */
  close(): Promise<void>;
}

/** Unary calls to `baseUrl`. Connections are opened as calls need them. */
export function openUnaryCalls(baseUrl: string): UnaryCalls {
  const url = new URL(baseUrl);
  const http = new HttpCalls(url);
  // Behind TLS, or a path, is a proxy.
  const frames = url.protocol === "http:" && url.pathname === "/" ? new FramedCalls(url) : undefined;
  return {
    async unary(method, signal, timeoutMs, header, input, _contextValues) {
      const message = isMessage(input, method.input) ? input : create(method.input, input);
      const bytes = bytesOf(method.input, message);
      let left = timeoutMs;
      const kind = framedMethods.indexOf(method);
      // Frames have no place for more headers.
      if (frames !== undefined && kind >= 0 && header === undefined && bytes.length <= framedCallBytes) {
        if (signal?.aborted === true) throw ConnectError.from(signal.reason, Code.Canceled);
        const sinceMs = performance.now();
        const reply = await frames.call({ kind, bytes, signal, timeoutMs: Math.max(0, timeoutMs ?? 0) });
        if (reply !== undefined) return new UnaryAnswer(method, noHeaders, decodeMessage(method.output, reply));
        if (left !== undefined && left > 0) left = Math.max(1, Math.ceil(left - (performance.now() - sinceMs)));
      }
      const name = `${method.parent.typeName}/${method.name}`;
      const reply = await http.call({ name, bytes, header, signal, timeoutMs: left });
      return new UnaryAnswer(method, reply.headers, decodeMessage(method.output, reply.bytes));
    },
    close: async () => {
      await Promise.all([frames?.close(), http.close()]);
    },
  };
}

/** A reply in a frame has none. */
const noHeaders: AnswerHeaders = {};

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
  readonly #headers: AnswerHeaders;

  constructor(method: DescMethodUnary<Input, Output>, headers: AnswerHeaders, message: MessageShape<Output>) {
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
