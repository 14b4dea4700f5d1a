import * as http from "node:http";
import * as https from "node:https";
import { type Transport } from "@connectrpc/connect";
import { createConnectTransport, Http2SessionManager } from "@connectrpc/connect-node";
import type { Clock } from "./clock.ts";
import { invalidField, toTqError, type TqError } from "./errors.ts";
import { openUnaryCalls } from "./unary-calls.ts";

/** Where `tq server start` listens unless told otherwise. */
export const defaultAddress = "127.0.0.1:7333";

const defaultPort = "7333";

/** Which HTTP a client speaks. */
export type HttpVersion = "1.1" | "2";

/** A transport, and how to close the connections that it keeps. */
export interface OpenTransport {
  readonly transport: Transport;
  /** Whether it takes tasks that were encoded before their call: see tasks-ahead.ts. */
  readonly takesTasksAhead: boolean;
  /** Resolves once they are closed. */
  close(): Promise<void>;
}

/**
 * The base URL of an address: `host`, `host:port`, `[::1]:port` or a whole `http://…` or `https://…` URL. The port is
 * 7333 unless given; a URL has its scheme's.
 *
 * @throws TqError `invalid_argument` naming `address`.
 */
export function baseUrlOf(address: string): string {
  const whole = /^https?:\/\//i.test(address);
  const url = URL.parse(whole ? address : `http://${address}`);
  const isAddress = url !== null && url.hostname !== "" && (whole || (url.pathname === "/" && !address.includes("/")));
  if (!isAddress) {
    throw invalidField(
      "address",
      `${JSON.stringify(address)} is no address: write it like "${defaultAddress}" or "https://tq.example.com"`,
    );
  }
  // A port of 80 is left out of `url.port`, being the scheme's own.
  if (!whole && url.port === "" && !address.endsWith(":80")) url.port = defaultPort;
  return url.href.replace(/\/$/, "");
}

/**
 * A Connect transport to `baseUrl`. It opens connections as calls need them and keeps them for the next ones. Answers are
 * not compressed: on a network worth having, gzip costs more time than it saves, and most payloads are small.
 */
export function openTransport(baseUrl: string, httpVersion: HttpVersion): OpenTransport {
  const common = { baseUrl, acceptCompression: [], useBinaryFormat: true };
  switch (httpVersion) {
    case "1.1": {
      // Its own agent, so that closing this client closes its connections and nobody else's. Calls that are held open
      // take a connection each, so there is no limit on them here.
      const options = { keepAlive: true, noDelay: true };
      const agent = baseUrl.startsWith("https:") ? new https.Agent(options) : new http.Agent(options);
      const streaming = createConnectTransport({ ...common, httpVersion: "1.1", nodeOptions: { agent } });
      const calls = openUnaryCalls(baseUrl);
      return {
        transport: { unary: calls.unary, stream: streaming.stream.bind(streaming) },
        takesTasksAhead: true,
        close: async () => {
          agent.destroy();
          await calls.close();
        },
      };
    }
    case "2": {
      const sessionManager = new Http2SessionManager(baseUrl, { pingIntervalMs: 15_000 });
      const transport = createConnectTransport({ ...common, httpVersion: "2", sessionManager });
      return { transport, takesTasksAhead: false, close: async () => sessionManager.abort() };
    }
  }
}

/** One try of a unary call, as it went. */
export interface CallRecord {
  /** Name of the call, such as `AddTasks`. */
  readonly method: string;
  readonly durationMs: number;
  /** Unset where it was answered. */
  readonly error: TqError | undefined;
}

/** What {@link withErrorsAndDeadlines} needs. */
export interface CallSurroundings {
  /** For the text of errors; unset where a transport was passed in. */
  readonly address: string | undefined;
  /** Deadline of a unary call that names none. */
  readonly callTimeoutMs: number;
  readonly clock: Clock;
  /** Hears of each unary call as it ends. */
  readonly onCall: (record: CallRecord) => void;
}

/**
 * The same transport, but whatever a call throws is a {@link TqError}, and a unary call that names
 * no deadline gets `callTimeoutMs`.
 */
export function withErrorsAndDeadlines(transport: Transport, surroundings: CallSurroundings): Transport {
  const { address, callTimeoutMs, clock, onCall } = surroundings;
  return {
    async unary(method, signal, timeoutMs, header, input, contextValues) {
      const beganAtMs = clock.now();
      const ended = (error: TqError | undefined) =>
        onCall({ method: method.name, durationMs: clock.now() - beganAtMs, error });
      try {
        const timeout = wholeMs(timeoutMs ?? callTimeoutMs);
        const response = await transport.unary(method, signal, timeout, header, input, contextValues);
        ended(undefined);
        return response;
      } catch (unknown) {
        const error = toTqError(unknown, { address, call: method.name });
        ended(error);
        throw error;
      }
    },
    async stream(method, signal, timeoutMs, header, input, contextValues) {
      const site = { address, call: method.name };
      try {
        const response = await transport.stream(method, signal, wholeMs(timeoutMs), header, input, contextValues);
        return { ...response, message: withTqErrors(response.message, (error) => toTqError(error, site)) };
      } catch (error) {
        throw toTqError(error, site);
      }
    },
  };
}

async function* withTqErrors<T>(messages: AsyncIterable<T>, toError: (error: unknown) => Error): AsyncIterable<T> {
  try {
    yield* messages;
  } catch (error) {
    throw toError(error);
  }
}

/** Timeouts travel in whole milliseconds; a server refuses anything else. */
function wholeMs<Timeout extends number | undefined>(timeoutMs: Timeout): Timeout | number {
  return timeoutMs === undefined ? timeoutMs : Math.ceil(timeoutMs);
}
