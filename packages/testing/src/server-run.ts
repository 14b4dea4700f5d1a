import { Code, ConnectError, type Transport } from "@connectrpc/connect";
import { createServer, syncedAtOnce, type Logger, type Server, type ServerOptions } from "@tq/matching";
import { ClockOfARun } from "./clock-of-a-run.ts";
import { DirectTransport } from "./direct-transport.ts";
import type { ManualClock } from "./manual-clock.ts";

type Store = Parameters<ServerOptions["decorateStore"]>[0];

const silent: Logger = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

/** What a dead process waits for. */
async function never(): Promise<never> {
  return new Promise<never>(() => undefined);
}

/** One run of a server in this process: from its start to its stop, or to the moment it is killed. */
export class ServerRun {
  /** For calls; they fail as over a network if the run is killed meanwhile. */
  readonly transport: Transport;
  readonly #clock: ManualClock;
  readonly #time: ClockOfARun;
  readonly #server: Server;
  /** Calls that are under way: each fails when the run is killed. */
  readonly #calls = new Set<(error: ConnectError) => void>();
  #store: Store | undefined;
  #isDead = false;

  constructor(clock: ManualClock, options: Pick<ServerOptions, "dataDir" | "instanceId"> & Partial<ServerOptions>) {
    this.#clock = clock;
    this.#time = new ClockOfARun(clock);
    const decorateStore = (store: Store) => this.#watch(store);
    this.#server = createServer(
      { logger: silent, random: () => 0, ...options, clock: this.#time, decorateStore, logCalls: syncedAtOnce },
      false,
    );
    const inner = new DirectTransport(this.#server, clock);
    this.transport = {
      unary: async (...args) => this.#unlessKilled(inner.unary(...args)),
      stream: async (...args) => {
        const response = await this.#unlessKilled(inner.stream(...args));
        return { ...response, message: this.#messages(response.message) };
      },
    };
  }

  async start(): Promise<void> {
    await this.#server.start();
  }

  /** Stops it in good order. */
  async stop(): Promise<void> {
    await this.#server.stop();
    this.#time.cut();
  }

  /** Ends it as `kill -9` would: what it has not committed has not happened, and nobody hears from it any more. */
  async kill(): Promise<void> {
    this.#isDead = true;
    this.#time.cut();
    const lost = new ConnectError("the connection was lost: the test server was killed", Code.Unavailable);
    for (const fail of this.#calls) fail(lost);
    await this.#store?.close();
  }

  async #unlessKilled<Value>(promise: Promise<Value>): Promise<Value> {
    const { promise: lost, reject } = Promise.withResolvers<never>();
    this.#calls.add(reject);
    this.#clock.quiet.note();
    try {
      return await Promise.race([promise, lost]);
    } finally {
      this.#calls.delete(reject);
      this.#clock.quiet.note();
    }
  }

  async *#messages<Message>(stream: AsyncIterable<Message>): AsyncGenerator<Message> {
    const messages = stream[Symbol.asyncIterator]();
    for (;;) {
      const next = await this.#unlessKilled(messages.next());
      if (next.done === true) return;
      yield next.value;
    }
  }

  /** The store, which tells the clock when it is at work, and does nothing more for a run that is dead. */
  #watch(store: Store): Store {
    this.#store = store;
    const { quiet } = this.#clock;
    return new Proxy(store, {
      get: (_target, name): unknown => {
        const value: unknown = Reflect.get(store, name, store);
        if (typeof value !== "function") return value;
        return (...args: unknown[]): unknown => {
          if (this.#isDead) return never();
          const answer: unknown = Reflect.apply(value, store, args);
          if (!(answer instanceof Promise)) return answer;
          const end = quiet.begin(`the store's ${String(name)}`);
          return answer.finally(end).then((done: unknown) => (this.#isDead ? never() : done));
        };
      },
    });
  }
}
