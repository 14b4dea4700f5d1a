import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Code, ConnectError, createRouterTransport, type Transport } from "@connectrpc/connect";
import { createServer, type Logger, type Server } from "@tq/matching";
import { ManualClock } from "./manual-clock.ts";

/** What can be set on a {@link TestServer}. */
export interface TestServerOptions {
  /** Its time. Default: a clock of its own, which stands still until it is moved. */
  readonly clock?: ManualClock;
  /** The most bytes of an answer. Default: the server's. */
  readonly maxReplyBytes?: number;
}

const silent: Logger = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

/**
 * A whole server inside the test's process: the real code over a real store, reached in memory instead of over a port,
 * on a clock that the test moves.
 */
export class TestServer {
  readonly clock: ManualClock;
  readonly #options: TestServerOptions;
  readonly #dataDir: string;
  #server: Server | undefined;
  #runs = 0;

  private constructor(options: TestServerOptions) {
    this.#options = options;
    this.clock = options.clock ?? new ManualClock();
    this.#dataDir = mkdtempSync(join(tmpdir(), "tq-test-server-"));
  }

  /** Makes one and starts it. `stop` it, or its data stays behind. */
  static async start(options: TestServerOptions = {}): Promise<TestServer> {
    const server = new TestServer(options);
    await server.#start();
    return server;
  }

  /** For clients and workers, over restarts; while the server is stopped, calls fail as they would over a network. */
  readonly transport: Transport = {
    unary: async (...args) => this.#reach().unary(...args),
    stream: async (...args) => this.#reach().stream(...args),
  };

  /** Stops it in good order and starts it again over the same data. */
  async restart(): Promise<void> {
    await this.#server?.stop();
    this.#server = undefined;
    await this.#start();
  }

  /** Stops it, and removes its data. */
  async stop(): Promise<void> {
    await this.#server?.stop();
    this.#server = undefined;
    rmSync(this.#dataDir, { recursive: true, force: true });
  }

  #reach(): Transport {
    if (this.#server === undefined) throw new ConnectError("the test server does not run", Code.Unavailable);
    return createRouterTransport(this.#server.routes);
  }

  async #start(): Promise<void> {
    this.#runs += 1;
    const { maxReplyBytes } = this.#options;
    const options = {
      dataDir: this.#dataDir,
      clock: this.clock,
      logger: silent,
      random: () => 0,
      instanceId: `run-${this.#runs}`,
      ...(maxReplyBytes !== undefined && { maxReplyBytes }),
    };
    this.#server = createServer(options, false);
    await this.#server.start();
  }
}
