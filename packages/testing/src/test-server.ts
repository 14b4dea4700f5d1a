import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Code, ConnectError, type Transport } from "@connectrpc/connect";
import { type Duration, durationToMs } from "@tq/client";
import { type KnownOptions, optionalNumber, refuseUnknownOptions } from "@tq/client/internal";
import { Faults } from "./faults.ts";
import { ManualClock, requireManualClock } from "./manual-clock.ts";
import { ServerRun } from "./server-run.ts";

/** What can be set on a {@link TestServer}. */
export interface TestServerOptions {
  /** Its time. Default: a clock of its own, which stands still until it is moved. */
  readonly clock?: ManualClock;
  /** The most bytes of an answer. Default: the server's. */
  readonly maxReplyBytes?: number;
}

/** How a {@link TestServer} is restarted. */
export interface RestartOptions {
  /** How long it is away, by the clock. Default 0. */
  readonly downFor?: Duration;
}

const serverOptions: KnownOptions<TestServerOptions> = { clock: true, maxReplyBytes: true };
const restartOptions: KnownOptions<RestartOptions> = { downFor: true };

/**
 * A whole server inside the test's process: the real code over a real store, reached in memory instead of over a port,
 * on a clock that the test moves.
 */
export class TestServer {
  readonly clock: ManualClock;
  /** What goes wrong on the way to it and back. */
  readonly faults: Faults;
  /** For clients and workers, over restarts; while the server is stopped, calls fail as they would over a network. */
  readonly transport: Transport;
  readonly #options: TestServerOptions;
  readonly #dataDir: string;
  readonly #unwatch: () => void;
  #run: ServerRun | undefined;
  #runs = 0;

  private constructor(options: TestServerOptions) {
    this.#options = options;
    this.clock = options.clock ?? new ManualClock();
    this.faults = new Faults(this.clock);
    this.transport = this.faults.around({
      unary: async (...args) => this.#reach().unary(...args),
      stream: async (...args) => this.#reach().stream(...args),
    });
    this.#dataDir = mkdtempSync(join(tmpdir(), "tq-test-server-"));
    this.#unwatch = this.clock.quiet.watchRequests();
  }

  /** Makes one and starts it. `stop` it, or its data stays behind. */
  static async start(options: TestServerOptions = {}): Promise<TestServer> {
    refuseUnknownOptions(options, serverOptions);
    requireManualClock(options.clock);
    optionalNumber(options.maxReplyBytes, "maxReplyBytes");
    const server = new TestServer(options);
    await server.#start();
    return server;
  }

  /** Stops it in good order and starts it again over the same data. */
  async restart(options: RestartOptions = {}): Promise<void> {
    const downFor = downForOf(options);
    await this.#run?.stop();
    this.#run = undefined;
    await this.#startAfter(downFor);
  }

  /**
   * Kills it, as `kill -9` would, and starts it again: what it had not committed has not happened, and calls that were under
   * way fail.
   */
  async crash(options: RestartOptions = {}): Promise<void> {
    const downFor = downForOf(options);
    await this.#run?.kill();
    this.#run = undefined;
    await this.#startAfter(downFor);
  }

  /** Stops it, and removes its data. */
  async stop(): Promise<void> {
    this.faults.clear();
    await this.#run?.stop();
    this.#run = undefined;
    this.#unwatch();
    rmSync(this.#dataDir, { recursive: true, force: true });
  }

  #reach(): Transport {
    if (this.#run === undefined) throw new ConnectError("the test server does not run", Code.Unavailable);
    return this.#run.transport;
  }

  async #startAfter(downFor: number): Promise<void> {
    if (downFor !== 0) await this.clock.advance(downFor);
    await this.#start();
  }

  async #start(): Promise<void> {
    this.#runs += 1;
    const { maxReplyBytes } = this.#options;
    const run = new ServerRun(this.clock, {
      dataDir: this.#dataDir,
      instanceId: `run-${this.#runs}`,
      ...(maxReplyBytes !== undefined && { maxReplyBytes }),
    });
    await run.start();
    this.#run = run;
  }
}

/** In ms; checked before the server is stopped. */
function downForOf(options: RestartOptions): number {
  refuseUnknownOptions(options, restartOptions);
  return durationToMs(options.downFor ?? 0, "downFor");
}
