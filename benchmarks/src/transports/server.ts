/*
 * The bare server of pnpm bench:transports: answers each message of so many bytes with another, without reading either. Over
 * HTTP/1.1 and HTTP/2, as a call each (/call) or as one after the other in a request that stays open both ways (/stream); and
 * in frames.
 */
import { createServer as createHttpServer } from "node:http";
import { createServer as createHttp2Server } from "node:http2";
import { createServer, type AddressInfo, type Socket } from "node:net";
import type { Readable } from "node:stream";
import { FrameReader, FrameWriter } from "@tq/proto/wire";
import { onMessages, type Round } from "./messages.ts";

/** Where each listens. */
export interface Ports {
  readonly http1: number;
  readonly http2: number;
  readonly frames: number;
}

const { requestBytes, replyBytes } = JSON.parse(process.argv[2] ?? "") as Round;
const reply = Buffer.alloc(replyBytes);

/** What the responses of both versions have. */
interface Response {
  setHeader(name: string, value: string | number): unknown;
  write(chunk: Uint8Array): unknown;
  end(chunk: Uint8Array): unknown;
}

/** @param sendHead sends the head of a response before there is a body */
function answer(
  request: Readable & { readonly url?: string | undefined },
  response: Response,
  sendHead: () => unknown,
): void {
  if (request.url === "/stream") {
    sendHead();
    onMessages(request, requestBytes, () => response.write(reply));
    return;
  }
  onMessages(request, requestBytes, () => {
    response.setHeader("content-type", "application/proto");
    response.setHeader("content-length", replyBytes);
    response.end(reply);
  });
}

const http1 = createHttpServer((request, response) => answer(request, response, () => response.flushHeaders()));
const http2 = createHttp2Server({ settings: { initialWindowSize: 1024 * 1024 } }, (request, response) =>
  answer(request, response, () => response.writeHead(200)),
);
const frames = createServer({ noDelay: true }, (socket: Socket) => {
  const writer = new FrameWriter(socket);
  const reader = new FrameReader(requestBytes, ({ kind, call }) => writer.write(kind, call, 0, reply));
  socket.on("data", (bytes: Buffer) => reader.read(bytes));
});
const listening = [http1, http2, frames].map(
  (server) =>
    new Promise<number>((resolve) =>
      server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port)),
    ),
);
const [first = 0, second = 0, third = 0] = await Promise.all(listening);
process.send?.({ http1: first, http2: second, frames: third } satisfies Ports);
process.on("disconnect", () => process.exit());
