import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";

/** A request over either version of HTTP. */
export type AnyRequest = IncomingMessage | Http2ServerRequest;
/** Its response. */
export type AnyResponse = ServerResponse | Http2ServerResponse;

/** Whether the connection of a call has gone, or is going: nothing that is written there then is read. */
export function isGone(request: AnyRequest, response: AnyResponse): boolean {
  return "stream" in response ? response.stream.destroyed || response.stream.closed : !request.socket.writable;
}
