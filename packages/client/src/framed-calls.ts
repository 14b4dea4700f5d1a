/*
 * Calls in frames, over a few connections: what tq's server takes in place of HTTP for the calls that every task passes
 * through. Whoever else answers at that address refuses, and then everything goes over HTTP.
 */
import { type ConnectionEvents, type ConnectionTimes, type FramedCall, FramedConnection } from "./framed-connection.ts";

/**
 * Most connections at once. One each for the two polls of a worker and for a call that adds, so that none waits for the bytes
 * of another; thousands of polls share them.
 */
const mostConnections = 4;

/** Connections are kept for less than the server does (75 s), so that a call does not find its connection closed. */
const usualTimes: ConnectionTimes = { acceptMs: 5_000, keepAliveMs: 60_000 };

/** Calls in frames to one server. */
export class FramedCalls {
  readonly #host: string;
  readonly #port: number;
  readonly #times: ConnectionTimes;
  /** Those that take calls. */
  readonly #inUse: FramedConnection[] = [];
  /** All that are open. */
  readonly #open = new Set<FramedConnection>();
  readonly #events: ConnectionEvents = {
    retired: (connection) => this.#leave(connection),
    closed: (connection) => {
      this.#leave(connection);
      this.#open.delete(connection);
      if (this.#open.size === 0) this.#allClosed?.();
    },
    refused: () => (this.#isSpoken = false),
  };
  #isSpoken = true;
  #allClosed: (() => void) | undefined;

  /** Connections are opened as calls need them. */
  constructor({ hostname, port }: URL, times = usualTimes) {
    this.#host = hostname.replace(/^\[(.*)\]$/, "$1");
    this.#port = port === "" ? 80 : Number(port);
    this.#times = times;
  }

  /** See {@link FramedConnection.call}; undefined as well where the server was found to speak no frames, or has too many calls. */
  async call(call: FramedCall): Promise<Uint8Array | undefined> {
    if (!this.#isSpoken) return undefined;
    const connection = this.#leastBusy();
    return connection.isFull ? undefined : connection.call(call);
  }

  /** Ends what is under way, and resolves once all connections are closed. */
  async close(): Promise<void> {
    this.#isSpoken = false;
    if (this.#open.size === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#allClosed = resolve;
    for (const connection of this.#open) connection.destroy();
    await promise;
  }

  #leastBusy(): FramedConnection {
    let least: FramedConnection | undefined;
    for (const connection of this.#inUse) if (least === undefined || connection.calls < least.calls) least = connection;
    if (least === undefined || (least.calls > 0 && this.#inUse.length < mostConnections)) {
      least = new FramedConnection(this.#host, this.#port, this.#events, this.#times);
      this.#inUse.push(least);
      this.#open.add(least);
    }
    return least;
  }

  #leave(connection: FramedConnection): void {
    const at = this.#inUse.indexOf(connection);
    if (at >= 0) this.#inUse.splice(at, 1);
  }
}
