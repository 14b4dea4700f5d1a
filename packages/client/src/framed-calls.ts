/*
 * Calls in frames, over a few connections: what tq's server takes in place of HTTP for the calls that every task passes
 * through. Whoever else answers at that address refuses, and then everything goes over HTTP.
 */
import { framedCallsAtOnce } from "@tq/proto/wire";
import {
  type ConnectionEvents,
  type ConnectionTimes,
  type FramedRequest,
  FramedConnection,
} from "./framed-connection.ts";

/**
 * Most connections at once: one each for the two polls of a worker and a call that adds, and one more, so that none waits for
 * the bytes of another. Thousands of polls share them.
 */
const mostConnections = 4;

/** Times of all of it. */
export interface Times extends ConnectionTimes {
  /** Where frames were refused, everything goes over HTTP for so long before they are tried again. */
  readonly refusedMs: number;
}

/** Connections are kept for less than the server does (75 s), so that a call does not find its connection closed. */
const usualTimes: Times = { acceptMs: 5_000, keepAliveMs: 60_000, refusedMs: 60_000 };

/** Calls in frames to one server. */
export class FramedCalls {
  readonly #host: string;
  readonly #port: number;
  readonly #times: Times;
  /** Those that take calls. */
  readonly #inUse: FramedConnection[] = [];
  /** All that are open. */
  readonly #open = new Set<FramedConnection>();
  readonly #events: ConnectionEvents = {
    retired: (connection) => this.#leave(connection),
    closed: (connection) => {
      this.#leave(connection);
      this.#open.delete(connection);
      if (this.#isClosed && this.#open.size === 0) this.#allClosed.resolve();
    },
    refused: () => (this.#refusedUntil = performance.now() + this.#times.refusedMs),
  };
  #refusedUntil = 0;
  #isClosed = false;
  readonly #allClosed = Promise.withResolvers<void>();

  /** Connections are opened as calls need them. */
  constructor({ hostname, port }: URL, times = usualTimes) {
    this.#host = hostname.replace(/^\[(.*)\]$/, "$1");
    this.#port = port === "" ? 80 : Number(port);
    this.#times = times;
  }

  /** See {@link FramedConnection.call}; undefined as well where frames were refused, or too many calls are under way. */
  async call(request: FramedRequest): Promise<Uint8Array | undefined> {
    if (this.#isClosed) return undefined;
    const connection = this.#leastBusy();
    return connection === undefined || connection.calls >= framedCallsAtOnce ? undefined : connection.call(request);
  }

  /** Ends what is under way, and resolves once all connections are closed. */
  close(): Promise<void> {
    this.#isClosed = true;
    if (this.#open.size === 0) this.#allClosed.resolve();
    for (const connection of this.#open) connection.destroy();
    return this.#allClosed.promise;
  }

  #leastBusy(): FramedConnection | undefined {
    let least: FramedConnection | undefined;
    for (const connection of this.#inUse) if (least === undefined || connection.calls < least.calls) least = connection;
    const wantsOne = least === undefined || (least.calls > 0 && this.#inUse.length < mostConnections);
    if (!wantsOne || performance.now() < this.#refusedUntil) return least;
    const connection = new FramedConnection(this.#host, this.#port, this.#events, this.#times);
    this.#inUse.push(connection);
    this.#open.add(connection);
    return connection;
  }

  #leave(connection: FramedConnection): void {
    const at = this.#inUse.indexOf(connection);
    if (at >= 0) this.#inUse.splice(at, 1);
  }
}
