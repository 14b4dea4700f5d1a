/*
 * Hot calls over HTTP: a unary Connect call whose request comes as plain protobuf with a length is read whole, carried
 * out, and answered in one write. Every other request goes through Connect; so does one that a hot call leaves to it.
 */
import { Code, ConnectError } from "@connectrpc/connect";
import { codeToHttpStatus, errorToJsonBytes } from "@connectrpc/connect/protocol-connect";
import type { HotCall } from "../rpc/hot-calls.ts";
import type { CallOrigin } from "../rpc/services-context.ts";
import { bounds } from "../validation/bounds.ts";
import type { HttpDelivery } from "./http-delivery.ts";
import { isGone, type AnyRequest, type AnyResponse } from "./node-http.ts";

const digits = /^\d{1,10}$/;

/** Whether a request is of the form that hot calls read. */
export function isPlainCall({ method, headers }: AnyRequest): boolean {
  const length = headers["content-length"];
  const timeout = headers["connect-timeout-ms"];
  return (
    method === "POST" &&
    headers["content-type"] === "application/proto" &&
    headers["content-encoding"] === undefined &&
    length !== undefined &&
    digits.test(length) &&
    // Larger ones are refused unread, which is Connect's to do.
    Number(length) <= bounds.requestBytes &&
    (timeout === undefined || (typeof timeout === "string" && digits.test(timeout)))
  );
}

/** Answers a call. `otherwise`: answers it the usual way, from the bytes of its request. */
export async function answerHotCall(
  call: HotCall,
  { request, response, delivery }: { request: AnyRequest; response: AnyResponse; delivery: HttpDelivery },
  otherwise: (body: Uint8Array) => Promise<void>,
): Promise<void> {
  const body = await readBody(request);
  // Its client is gone.
  if (body === undefined) return;
  let status = 200;
  let contentType = "application/proto";
  let reply: Uint8Array | undefined;
  try {
    reply = await call(body, new HttpOrigin(request, response, delivery));
  } catch (reason) {
    const error = ConnectError.from(reason, Code.Internal);
    status = codeToHttpStatus(error.code);
    contentType = "application/json";
    reply = errorToJsonBytes(error, undefined);
  }
  if (reply === undefined) {
    await otherwise(body);
    return;
  }
  // Between here and the first byte there are no events, so what is open now is open then.
  if (isGone(request, response)) {
    delivery.connectionClosed();
    return;
  }
  delivery.handedOver();
  response.statusCode = status;
  response.setHeader("content-type", contentType);
  response.setHeader("content-length", reply.length);
  response.end(reply);
}

/** Where an HTTP call came from. Most of it is only made for a call that asks. */
class HttpOrigin implements CallOrigin {
  readonly delivery: HttpDelivery;
  readonly #request: AnyRequest;
  readonly #response: AnyResponse;
  readonly #arrivedAt = performance.now();
  #controller: AbortController | undefined;

  constructor(request: AnyRequest, response: AnyResponse, delivery: HttpDelivery) {
    this.delivery = delivery;
    this.#request = request;
    this.#response = response;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      const controller = new AbortController();
      this.#controller = controller;
      if (isGone(this.#request, this.#response)) controller.abort(callerGone);
      // Once it has been answered nobody listens any more.
      this.#response.once("close", () => {
        if (!this.#response.writableEnded) controller.abort(callerGone);
      });
    }
    return this.#controller.signal;
  }

  timeoutMs = (): number | undefined => {
    const asked = this.#request.headers["connect-timeout-ms"];
    return asked === undefined ? undefined : Number(asked) - (performance.now() - this.#arrivedAt);
  };
}

/** One for all: an error with a stack for each poll would cost more than the poll. */
const callerGone = new ConnectError("the caller has gone", Code.Canceled);

/** The whole body. Undefined: the connection broke before its end. */
async function readBody(request: AnyRequest): Promise<Uint8Array | undefined> {
  return new Promise((resolve) => {
    const chunks: Uint8Array[] = [];
    request.on("data", (chunk: Uint8Array) => chunks.push(chunk));
    request.once("end", () => resolve(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks)));
    // What went wrong is told by 'close', which follows.
    request.once("error", () => undefined);
    request.once("close", () => resolve(undefined));
  });
}
