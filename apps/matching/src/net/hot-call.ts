/*
 * Hot calls over HTTP: a unary Connect call whose request comes as plain protobuf with a length is read whole, carried
 * out, and answered in one write. Every other request goes through Connect; so does one that a hot call leaves to it.
 */
import { Code, ConnectError } from "@connectrpc/connect";
import { codeToHttpStatus, errorToJsonBytes } from "@connectrpc/connect/protocol-connect";
import type { HotCall } from "../rpc/hot-calls.ts";
import { bounds } from "../validation/bounds.ts";
import type { HttpCall } from "./http-call.ts";
import type { AnyRequest } from "./node-http.ts";
import type { Handler } from "./route.ts";

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

/** Answers a call. `otherwise`: answers it the usual way, by its handler and from the bytes of its request. */
export async function answerHotCall(
  call: HotCall,
  origin: HttpCall,
  handler: Handler,
  otherwise: (handler: Handler, origin: HttpCall, body: Uint8Array) => Promise<void>,
): Promise<void> {
  const body = await origin.readBody(Number(origin.request.headers["content-length"]));
  // Its client is gone.
  if (body === undefined) return;
  let status = 200;
  let contentType = "application/proto";
  let reply: Uint8Array | undefined;
  try {
    reply = await call(body, origin);
  } catch (reason) {
    const error = ConnectError.from(reason, Code.Internal);
    status = codeToHttpStatus(error.code);
    contentType = "application/json";
    reply = errorToJsonBytes(error, undefined);
  }
  if (reply === undefined) {
    await otherwise(handler, origin, body);
    return;
  }
  if (!origin.handOver()) return;
  const { response } = origin;
  response.statusCode = status;
  response.setHeader("content-type", contentType);
  response.setHeader("content-length", reply.length);
  response.end(reply);
}
