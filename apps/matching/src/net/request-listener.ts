/*
 * From a Node request to Connect and back. This is connect-node's adapter with five things added: a request that cannot
 * be understood at all does no harm to the server, the fate of each answer is known (HttpCall), a refusal reaches a
 * client that is still sending, refusals on the level of HTTP say what to do, and nothing is printed.
 */
import { randomUUID } from "node:crypto";
import { createContextValues } from "@connectrpc/connect";
import { universalRequestFromNodeRequest, universalResponseToNodeResponse } from "@connectrpc/connect-node";
import { isCallersLeaving, wasRead, type ReportIncident } from "../errors/boundary.ts";
import { deliveryKey } from "../rpc/delivery.ts";
import { cannotBeSent } from "./cannot-be-sent.ts";
import { answerHotCall, isPlainCall } from "./hot-call.ts";
import { HttpCall, type CallEnded } from "./http-call.ts";
import type { AnyRequest, AnyResponse } from "./node-http.ts";
import { onlyChunk } from "./only-chunk.ts";
import type { Handler, Routes } from "./route.ts";

const greeting =
  "This is tq, a task queue service. It speaks Connect, gRPC and gRPC-Web on this port: try `tq queue ls`, or `buf curl` with server reflection.\n";

/** What the statuses mean that Connect answers without a word. */
const explanations: Readonly<Record<number, string>> = {
  405: "Calls are made with POST.",
  415: "Send a Content-Type that is one of application/json, application/proto, application/grpc and application/grpc-web; for `curl`, -H 'Content-Type: application/json'.",
  505: "This call streams both ways, which needs HTTP/2; for `buf curl`, --http2-prior-knowledge.",
};

/**
 * Answers the requests to these routes; those of hot calls without Connect where they are plain enough.
 *
 * @param report takes what went wrong with sending an answer
 * @param ended told of each request as it has been answered, or its connection has gone
 */
export function createRequestListener(
  routes: Routes,
  report: ReportIncident,
  ended: CallEnded,
): (request: AnyRequest, response: AnyResponse) => void {
  return (request, response) => {
    const origin = new HttpCall(request, response, ended);
    const path = request.url?.split("?", 1)[0] ?? "";
    const route = routes.get(path);
    if (route === undefined) {
      if (path === "/" && (request.method === "GET" || request.method === "HEAD")) say(response, 200, greeting);
      else
        say(
          response,
          404,
          `There is nothing at ${path}. Calls go to /<service>/<method>, such as /tq.v1.TaskService/AddTasks.\n`,
        );
      return;
    }
    const { handler, hotCall } = route;
    const isHot = hotCall !== undefined && isPlainCall(request);
    const answered = isHot ? answerHotCall(hotCall, origin, handler, answer) : answer(handler, origin);
    answered.catch((cause: unknown) => {
      const id = randomUUID();
      if (!origin.isGone && !isCallersLeaving(cause)) report({ id, call: path.slice(1), cause });
      abandon(response, id);
    });
  };
}

async function answer(handler: Handler, origin: HttpCall, bodyRead?: Uint8Array): Promise<void> {
  const { request, response } = origin;
  const values = createContextValues().set(deliveryKey, origin);
  let universalRequest;
  try {
    universalRequest = universalRequestFromNodeRequest(request, response, undefined, values);
  } catch {
    say(response, 400, "The request has no usable Host header.\n");
    return;
  }
  // Reading stops early where a request is refused. Were the request destroyed then, as is usual, the refusal would be lost.
  const body =
    bodyRead === undefined
      ? (request.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>)
      : onlyChunk(bodyRead);
  const universalResponse = await handler({ ...universalRequest, body });
  if (!wasRead(values)) await discardRest(request);
  if (!origin.handOver()) return;
  const explanation = explanations[universalResponse.status];
  if (universalResponse.body === undefined && explanation !== undefined) {
    universalResponse.header?.forEach((value, name) => response.setHeader(name, value));
    say(response, universalResponse.status, `${explanation}\n`);
    return;
  }
  await universalResponseToNodeResponse(universalResponse, response);
}

/** How much of a request that was refused unread is still taken in. */
const discardedAtMost = 256 * 1024 * 1024;

/** Lets a client finish sending what is refused: many read no answer before they have, and report a broken connection. */
async function discardRest(request: AnyRequest): Promise<void> {
  if (request.readableEnded || request.destroyed) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  let bytes = 0;
  request.on("data", (chunk: Uint8Array) => {
    bytes += chunk.length;
    if (bytes > discardedAtMost) request.destroy();
  });
  request.once("end", resolve);
  request.once("close", resolve);
  await promise;
}

/** Ends a response that went wrong on its way out: its status is sent, or it is cut off where it is. */
function abandon(response: AnyResponse, incident: string): void {
  if (response.headersSent) response.destroy();
  else say(response, 500, `${cannotBeSent(incident)}\n`);
}

function say(response: AnyResponse, status: number, text: string): void {
  response.statusCode = status;
  response.setHeader("content-type", "text/plain; charset=utf-8");
  response.setHeader("content-length", Buffer.byteLength(text));
  response.end(text);
}
