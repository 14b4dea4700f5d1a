import type { Transport } from "@connectrpc/connect";
import { Client, type ClientOptions, type Duration } from "@tq/client";
import { invalidField, type KnownOptions, refuseUnknownOptions, requireRecord } from "@tq/client/internal";
import { Worker, type WorkerOptions } from "@tq/worker-sdk";
import type { Faults } from "./faults.ts";
import { type ManualClock, requireManualClock, type SkipOptions } from "./manual-clock.ts";
import { type RestartOptions, TestServer } from "./test-server.ts";

/** What can be set on a {@link TestEnvironment}. */
export interface TestEnvironmentOptions {
  /** Its time. Default: a clock of its own, which begins at 2026-01-01T00:00:00Z. */
  readonly clock?: ManualClock;
  /** Options of its client. Default: those of `Client.create`, without randomness in its waits. */
  readonly client?: Omit<ClientOptions, "address" | "httpVersion" | "transport" | "clock">;
}

const environmentOptions: KnownOptions<TestEnvironmentOptions> = { clock: true, client: true };

/**
 * A server, a client and a clock for the test of a worker's handlers, all in this process. Whatever waits for time, in server,
 * client, worker or handler, waits for the clock to be moved.
 */
export class TestEnvironment implements AsyncDisposable {
  /** The time of everything here. */
  readonly clock: ManualClock;
  /** Adds tasks to the server. */
  readonly client: Client;
  /** For clients and workers that are made by hand; give them the `clock`, too. */
  readonly transport: Transport;
  /** What goes wrong between them and the server. */
  readonly faults: Faults;
  readonly #server: TestServer;
  readonly #ownsClock: boolean;
  readonly #workers: Worker[] = [];

  private constructor(server: TestServer, options: TestEnvironmentOptions) {
    this.#server = server;
    this.#ownsClock = options.clock === undefined;
    this.clock = server.clock;
    this.transport = server.transport;
    this.faults = server.faults;
    this.client = Client.create({ random: () => 0, ...options.client, ...this.#given() });
  }

  /**
   * An environment whose time stands still until it is skipped. `teardown` it at the end, or use `await using`.
   *
   * @throws TqError `invalid_argument` naming an option that is wrong.
   */
  static async createTimeSkipping(options: TestEnvironmentOptions = {}): Promise<TestEnvironment> {
    refuseUnknownOptions(options, environmentOptions);
    const { clock, client } = options;
    requireManualClock(clock);
    if (client !== undefined) refuseGiven(client, ["address", "httpVersion", "transport", "clock"], "client");
    const server = await TestServer.start(clock === undefined ? {} : { clock });
    try {
      return new TestEnvironment(server, options);
    } catch (error) {
      await server.stop();
      throw error;
    }
  }

  /**
   * A worker of this environment's server and clock. Run it as any worker: `run`, `runUntil`.
   *
   * @throws TqError `invalid_argument` naming an option that is wrong.
   */
  async createWorker(options: Omit<WorkerOptions, "address" | "transport" | "clock" | "client">): Promise<Worker> {
    refuseGiven(options, ["address", "transport", "clock", "client"]);
    const worker = await Worker.create({ random: () => 0, ...options, ...this.#given() });
    this.#workers.push(worker);
    return worker;
  }

  /**
   * Jumps from timer to timer until a promise has settled, and answers or throws what it does.
   *
   * @throws Error if no timer is left that could lead to it, or it has not settled after `atMost`.
   */
  async skipUntil<Value>(promise: Promise<Value>, options?: SkipOptions): Promise<Value> {
    return this.clock.skipUntil(promise, options);
  }

  /** Moves the clock on; the same as `clock.advance`. */
  async sleep(duration: Duration): Promise<void> {
    await this.clock.advance(duration);
  }

  /** The time, in ms since the epoch. */
  currentTimeMs(): number {
    return this.clock.now();
  }

  /** Stops the server in good order and starts it again over its data. */
  async restartServer(options?: RestartOptions): Promise<void> {
    await this.#server.restart(options);
  }

  /** Kills the server as `kill -9` would, and starts it again: what it had not committed has not happened. */
  async crashServer(options?: RestartOptions): Promise<void> {
    await this.#server.crash(options);
  }

  /**
   * Clears the faults, shuts down the workers that still run, and removes the server and its data.
   *
   * @throws Error if timers still wait afterwards, unless the clock was given: a client or worker that the test made by hand
   *   was not closed, or a handler that had been given up still sleeps.
   */
  async teardown(): Promise<void> {
    this.faults.clear();
    const running = this.#workers.filter((worker) => !isOver(worker));
    for (const worker of running) worker.shutdown();
    // What a shutdown waits for is bounded by the worker's own options.
    while (running.some((worker) => !isOver(worker))) await this.clock.advance("1s");
    const closed = this.client.close();
    await this.clock.skipUntil(closed);
    await this.#server.stop();
    const { waiting } = this.clock;
    if (this.#ownsClock && waiting > 0) {
      throw new Error(
        `${waiting} timers still wait after the end of the test: close the clients and workers that it made by hand, and let ` +
          "handlers give way when their signal aborts.",
      );
    }
  }

  /** The same as {@link teardown}, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.teardown();
  }

  #given(): { readonly transport: Transport; readonly clock: ManualClock } {
    return { transport: this.transport, clock: this.clock };
  }
}

/** What the environment gives itself would be ignored if a test gave it too. */
function refuseGiven(options: object, names: readonly string[], within?: string): void {
  requireRecord(options, within ?? "options");
  const name = names.find((each) => options[each] !== undefined);
  if (name === undefined) return;
  throw invalidField(
    within === undefined ? name : `${within}.${name}`,
    "the environment gives its own; for another one, make a client or a worker with `create` of its class",
  );
}

function isOver(worker: Worker): boolean {
  const state = worker.getState();
  return state === "INITIALIZED" || state === "STOPPED" || state === "FAILED";
}
