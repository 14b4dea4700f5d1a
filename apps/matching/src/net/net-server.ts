/*
 * One port for HTTP/1.1 and HTTP/2 without TLS, and for calls in frames. A listener of its own takes the connections, looks
 * at their first bytes, and hands each to Node's http or http2 server, neither of which listens, or reads its frames.
 */
import { createServer as createHttpServer, type Server as HttpServer, type ServerResponse } from "node:http";
import { createServer as createHttp2Server, type Http2Server, type ServerHttp2Session } from "node:http2";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import type { ConnectRouter } from "@connectrpc/connect";
import type { ReportIncident } from "../errors/boundary.ts";
import type { HotCalls } from "../rpc/hot-calls.ts";
import { sniffProtocol, type Protocol } from "./first-bytes.ts";
import { FramedConnection } from "./framed-connection.ts";
import { explainListenFailure } from "./listen-error.ts";
import type { AnyRequest, AnyResponse } from "./node-http.ts";
import { createRequestListener } from "./request-listener.ts";
import { routesByPath, type Routes } from "./route.ts";

/** Where a server listens, and what it answers. */
export interface NetServerOptions {
  readonly host: string;
  /** 0 takes any port that is free. */
  readonly port: number;
  readonly routes: (router: ConnectRouter) => void;
  /** Calls of these routes that are answered without Connect where they can be. */
  readonly hotCalls: HotCalls;
  /** Takes what went wrong with sending an answer; it belongs in the log. */
  readonly report: ReportIncident;
}

/** Where a server listens. */
export interface NetAddress {
  readonly host: string;
  readonly port: number;
  /** Such as "http://127.0.0.1:7333". */
  readonly url: string;
}

/** A connection that says nothing is closed after so long. */
const silenceMs = 60_000;
/** An idle connection for HTTP/1.1 or frames is kept for so long: longer than a poll, so that a worker's next call finds it open. */
const keepAliveMs = 75_000;
/** The header of a request must be there within so long. */
const headersTimeoutMs = 60_000;
/** Of one HTTP/2 connection: room for the requests that may arrive on it at once. In MB, as Node counts. */
const maxSessionMemoryMb = 256;
/** Bytes that a peer may send ahead, for each stream and for the connection: a large batch does not wait for round trips. */
const streamWindowBytes = 1024 * 1024;
const connectionWindowBytes = 16 * 1024 * 1024;
/** Calls at once on one connection: all polls of a large process. */
const maxStreams = 10_000;

/** Listens on a port, and answers there. */
export class NetServer {
  readonly #options: NetServerOptions;
  readonly #routes: Routes;
  readonly #listener: Server;
  readonly #http1: HttpServer;
  readonly #http2: Http2Server;
  /** All connections: with what carries its calls where it speaks frames, with the response that is under way, if any, where it speaks HTTP/1.1. */
  readonly #sockets = new Map<Socket, FramedConnection | ServerResponse | undefined>();
  /** Those of them that speak HTTP/2; their sessions close them. */
  readonly #http2Sockets = new WeakSet<Socket>();
  readonly #sessions = new Set<ServerHttp2Session>();
  #address: NetAddress | undefined;
  #stopping = false;

  constructor(options: NetServerOptions) {
    this.#options = options;
    const { routes, hotCalls, report } = options;
    this.#routes = routesByPath(routes, hotCalls);
    const answer = createRequestListener(this.#routes, report, (...call) => this.#requestEnded(...call));
    this.#http1 = createHttpServer(
      { keepAliveTimeout: keepAliveMs, headersTimeout: headersTimeoutMs },
      (request, response) => {
        this.#requestBegun(request.socket, response);
        answer(request, response);
      },
    );
    this.#http2 = createHttp2Server(
      {
        maxSessionMemory: maxSessionMemoryMb,
        settings: { initialWindowSize: streamWindowBytes, maxConcurrentStreams: maxStreams },
      },
      answer,
    );
    this.#http2.on("session", (session) => this.#trackSession(session));
    this.#listener = createServer({ noDelay: true, keepAlive: true }, (socket) => this.#accept(socket));
  }

  /** Where it listens. Throws before {@link start}. */
  get address(): NetAddress {
    if (this.#address === undefined) throw new Error("the server does not listen yet");
    return this.#address;
  }

  /** Begins to listen. Rejects with {@link ListenError}. */
  async start(): Promise<NetAddress> {
    const { host, port } = this.#options;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#listener.once("error", reject);
    try {
      this.#listener.listen({ host, port }, resolve);
      await promise;
    } catch (cause) {
      throw explainListenFailure(cause, host, port);
    } finally {
      this.#listener.off("error", reject);
    }
    // A connection that cannot be taken (too many open files) is lost; those that are open go on.
    this.#listener.on("error", () => undefined);
    // The http server watches over header timeouts once it listens, which it never does by itself here.
    this.#http1.emit("listening");
    this.#address = addressOf(this.#listener.address(), host);
    return this.#address;
  }

  /**
   * Takes no more connections, lets what is under way end for up to `graceMs`, and closes. Calls that arrive meanwhile on
   * connections that are open are still answered, each as the last one of its connection.
   */
  async stop(graceMs: number): Promise<void> {
    this.#stopping = true;
    const { promise, resolve } = Promise.withResolvers<void>();
    // Calls back once every connection has closed, or at once if it never listened.
    this.#listener.close(() => resolve());
    this.#http1.close();
    for (const session of this.#sessions) session.close();
    for (const [socket, underWay] of this.#sockets) {
      if (underWay instanceof FramedConnection) underWay.stop();
      else if (underWay !== undefined) closeAfter(underWay);
      else if (!this.#http2Sockets.has(socket)) socket.destroy();
    }
    const timer = setTimeout(() => {
      for (const session of this.#sessions) session.destroy();
      for (const socket of this.#sockets.keys()) socket.destroy();
    }, graceMs);
    await promise;
    clearTimeout(timer);
  }

  #accept(socket: Socket): void {
    this.#sockets.set(socket, undefined);
    socket.once("close", () => this.#sockets.delete(socket));
    // Resets are the client's business; 'close' follows.
    socket.on("error", () => undefined);
    socket.setTimeout(silenceMs, () => socket.destroy());
    sniffProtocol(socket, (protocol) => {
      socket.setTimeout(0);
      socket.removeAllListeners("timeout");
      this.#speak(socket, protocol);
    });
  }

  #speak(socket: Socket, protocol: Protocol): void {
    switch (protocol) {
      case "http2":
        // Its session takes over what lies in the socket's buffer by itself; flowing, the socket would lose that.
        this.#http2Sockets.add(socket);
        this.#http2.emit("connection", socket);
        break;
      case "http1":
        this.#http1.emit("connection", socket);
        socket.resume();
        break;
      case "frames": {
        const framed = new FramedConnection(socket, this.#routes, this.#options.report, keepAliveMs);
        this.#sockets.set(socket, framed);
        socket.resume();
        if (this.#stopping) framed.stop();
        break;
      }
    }
  }

  #requestBegun(socket: Socket, response: ServerResponse): void {
    // One that has closed meanwhile is not to stay.
    if (this.#sockets.has(socket)) this.#sockets.set(socket, response);
    if (this.#stopping) closeAfter(response);
  }

  #requestEnded(request: AnyRequest, response: AnyResponse): void {
    // HTTP/2 has many on one connection, which its session closes.
    if ("stream" in response) return;
    const { socket } = request;
    if (this.#sockets.get(socket) === response) this.#sockets.set(socket, undefined);
    if (this.#stopping) socket.destroySoon();
  }

  #trackSession(session: ServerHttp2Session): void {
    this.#sessions.add(session);
    session.once("close", () => this.#sessions.delete(session));
    // A peer that breaks the protocol has its connection closed; 'close' follows.
    session.on("error", () => undefined);
    session.setLocalWindowSize(connectionWindowBytes);
    if (this.#stopping) session.close();
  }
}

/** The connection ends with this response. */
function closeAfter(response: ServerResponse): void {
  if (!response.headersSent) response.setHeader("connection", "close");
}

function addressOf(address: AddressInfo | string | null, host: string): NetAddress {
  if (address === null || typeof address === "string") throw new Error("the server listens on no port");
  const shown = host.includes(":") ? `[${host}]` : host;
  return { host, port: address.port, url: `http://${shown}:${address.port}` };
}
