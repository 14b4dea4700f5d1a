/*
 * What a call in a frame is answered with: as a hot call where it is plain enough, else through Connect, as if it had come over HTTP.
 */
import { Code, ConnectError, createContextValues } from "@connectrpc/connect";
import { errorToJsonBytes } from "@connectrpc/connect/protocol-connect";
import { framedMethods, framedReply } from "@tq/proto/wire";
import { deliveryKey } from "../rpc/delivery.ts";
import { cannotBeSent } from "./cannot-be-sent.ts";
import type { FramedCall } from "./framed-call.ts";
import { onlyChunk } from "./only-chunk.ts";
import type { Handler, Route } from "./route.ts";

/** What a call is answered with. */
export interface FramedReply {
  readonly kind: number;
  readonly bytes: Uint8Array;
}

const paths = framedMethods.map(({ parent, name }) => `/${parent.typeName}/${name}`);

/** Path of the calls of a kind, such as "/tq.v1.TaskService/AddTasks"; empty if there are none of it. */
export function pathOf(kind: number): string {
  return paths[kind] ?? "";
}

/** Carries out a call. Rejects only with what is a defect. No function waits here: thousands of polls may be open. */
export function replyTo(
  call: FramedCall,
  route: Route | undefined,
  path: string,
  bytes: Uint8Array,
): Promise<FramedReply> {
  if (route === undefined) {
    return Promise.resolve(refusal(new ConnectError("there is no such call in frames", Code.Unimplemented)));
  }
  const { handler, hotCall } = route;
  if (hotCall === undefined) return throughConnect(handler, call, path, bytes);
  return hotCall(bytes, call).then(
    (message) =>
      message === undefined
        ? throughConnect(handler, call, path, bytes)
        : { kind: framedReply.message, bytes: message },
    (reason: unknown) => refusal(ConnectError.from(reason, Code.Internal)),
  );
}

/** The reply to a call that could not be answered. @param incident where the log says why */
export function failedReply(incident: string): FramedReply {
  return refusal(new ConnectError(cannotBeSent(incident), Code.Internal));
}

/** What a hot call leaves to Connect, as the unary call that it would be over HTTP. */
async function throughConnect(
  handler: Handler,
  call: FramedCall,
  path: string,
  bytes: Uint8Array,
): Promise<FramedReply> {
  const header = new Headers({ "content-type": "application/proto", "connect-protocol-version": "1" });
  const left = call.timeoutMs();
  if (left !== undefined) header.set("connect-timeout-ms", `${Math.max(1, Math.ceil(left))}`);
  const leaving = new AbortController();
  call.addEventListener("abort", () => leaving.abort());
  if (call.aborted) leaving.abort();
  const { status, body } = await handler({
    httpVersion: "1.1",
    method: "POST",
    url: `http://tq${path}`,
    header,
    body: onlyChunk(bytes),
    signal: leaving.signal,
    contextValues: createContextValues().set(deliveryKey, call),
  });
  const chunks: Uint8Array[] = [];
  if (body !== undefined) for await (const chunk of body) chunks.push(chunk);
  return { kind: status === 200 ? framedReply.message : framedReply.error, bytes: Buffer.concat(chunks) };
}

function refusal(error: ConnectError): FramedReply {
  return { kind: framedReply.error, bytes: errorToJsonBytes(error, undefined) };
}
