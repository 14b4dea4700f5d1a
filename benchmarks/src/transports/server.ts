/*
 * The bare server of pnpm bench:transports: answers each message of so many bytes with another, without reading either. Over
 * HTTP/1.1 and HTTP/2, as a call each (/call) or as one after the other in a request that stays open both ways (/stream).
 */
import { createServer as createHttpServer } from "node:http";
import { createServer as createHttp2Server } from "node:http2";
import type { AddressInfo } from "node:net";
import type { Duplex, Readable } from "node:stream";

/** What a round sends and gets, in bytes. */
export interface Round {
  readonly requestBytes: number;
  readonly replyBytes: number;
}

/** Where the two listen. */
export interface Ports {
  readonly http1: number;
  readonly http2: number;
}

/** Calls back for each message of so many bytes. */
export function onMessages(source: Readable | Duplex, bytes: number, onMessage: () => void): void {
  let got = 0;
  source.on("data", (chunk: Uint8Array) => {
    got += chunk.length;
    for (; got >= bytes; got -= bytes) onMessage();
  });
}

const { requestBytes, replyBytes } = JSON.parse(process.argv[2] ?? "") as Round;
const reply = Buffer.alloc(replyBytes);

const http1 = createHttpServer((request, response) => {
  if (request.url === "/stream") {
    response.flushHeaders();
    onMessages(request, requestBytes, () => response.write(reply));
    return;
  }
  onMessages(request, requestBytes, () => {
    response.setHeader("content-type", "application/proto");
    response.setHeader("content-length", replyBytes);
    response.end(reply);
  });
});
const http2 = createHttp2Server({ settings: { initialWindowSize: 1024 * 1024 } }, (request, response) => {
  if (request.url === "/stream") {
    response.writeHead(200);
    onMessages(request, requestBytes, () => response.write(reply));
    return;
  }
  onMessages(request, requestBytes, () => {
    response.setHeader("content-type", "application/proto");
    response.setHeader("content-length", replyBytes);
    response.end(reply);
  });
});
const listening = [http1, http2].map(
  (server) =>
    new Promise<number>((resolve) =>
      server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port)),
    ),
);
const [first = 0, second = 0] = await Promise.all(listening);
process.send?.({ http1: first, http2: second } satisfies Ports);
process.on("disconnect", () => process.exit());
