import { createRouterTransport, type ConnectRouter, type Interceptor, type Transport } from "@connectrpc/connect";
import { createServer, deliveryKey, syncedAtOnce, type Delivery, type Logger, type Server } from "@tq/matching";
import type { Store } from "@tq/storage";
import { abandon, InvariantChecker, settle } from "@tq/storage-sqlite/testing";
import type { SimulatedClock } from "./clock.ts";
import type { Disk } from "./folder.ts";
import type { Entry } from "./history.ts";
import { recordingStore, type CommitFault } from "./recording-store.ts";

/** So few bytes go into an answer that one task in seven is too large to come with others. */
export const maxReplyBytes = 68 * 1024;

/** What the processes of a run share. */
export interface Machine {
  readonly clock: SimulatedClock;
  readonly disk: Disk;
  /** Numbers in [0, 1), for the server's jitter. */
  readonly random: () => number;
  readonly record: (entry: Entry) => void;
  /** Puts a defect between the server and its store. */
  readonly breakStore: (store: Store, file: string) => Store;
}

/** One run of the server: from its start to its crash, its stop, or the loss of its store. */
export class ServerProcess {
  readonly life: number;
  readonly transport: Transport;
  /** Resolves as the process dies, however that comes. */
  readonly died: Promise<void>;
  /** What was written to its log as an error. */
  readonly errors: string[] = [];
  readonly #machine: Machine;
  readonly #server: Server;
  readonly #markDead: () => void;
  readonly #beside: ServerProcess | undefined;
  #inner: Store | undefined;
  #store: Store | undefined;
  #checker: InvariantChecker | undefined;
  #fault: CommitFault | undefined;
  #isDead = false;
  #isReplaced = false;

  /** @param beside has the store open: it is opened between two of that one's transactions */
  constructor(life: number, machine: Machine, beside?: ServerProcess) {
    const { clock, disk, random } = machine;
    this.#beside = beside;
    this.life = life;
    this.#machine = machine;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.died = promise;
    this.#markDead = resolve;
    this.#server = createServer(
      {
        dataDir: disk.folder,
        maxReplyBytes,
        clock: clock.forProcess(() => this.#isDead),
        random,
        instanceId: `life-${life}`,
        logger: this.#logger(),
        decorateStore: (store) => this.#decorate(store),
        // The real disk takes its time, and that would be in the history.
        logCalls: syncedAtOnce,
      },
      false,
    );
    this.transport = createRouterTransport(this.#server.routes);
  }

  get isDead(): boolean {
    return this.#isDead;
  }

  /**
   * A way to it for one call, whose connection breaks before a byte of the answer has gone out: `lose` says that the
   * process notices.
   */
  connectionThatBreaks(): { readonly transport: Transport; readonly lose: () => void } {
    let tell: (() => void) | undefined;
    const delivery: Delivery = { onUndelivered: (callback) => (tell = callback) };
    const interceptor: Interceptor = (next) => async (request) => {
      request.contextValues.set(deliveryKey, delivery);
      return next(request);
    };
    const transport = createRouterTransport((router) => {
      const { routes } = this.#server;
      // Services have interceptors of their own, which would take the place of a router's.
      const service: ConnectRouter["service"] = (type, implementation, options = {}) => {
        const interceptors = [interceptor, ...(options.interceptors ?? [])];
        return router.service(type, implementation, { ...options, interceptors });
      };
      routes(Object.assign(Object.create(router) as ConnectRouter, { service }));
    });
    return { transport, lose: () => tell?.() };
  }

  async start(): Promise<void> {
    await this.#server.start();
    this.#checker = new InvariantChecker(this.#machine.disk.file);
    void this.#server.closed.then((error) => {
      if (this.#isDead) return;
      this.#machine.record({ kind: "event", what: `server ${this.life} stopped: ${error?.message ?? "as asked"}` });
      this.#end();
    });
  }

  /** Stops it in good order; or kills it, if it is to die in a commit that it still makes. */
  async stop(): Promise<void> {
    await Promise.race([this.#server.stop(), this.died]);
    this.#end();
  }

  /** Something will go wrong with its next commit. */
  failNextCommit(fault: CommitFault): void {
    this.#fault = fault;
  }

  /** Kills it: what it had not committed is lost, and so is every answer that has not left it. */
  crash(): void {
    if (this.#isDead) return;
    // The disk is another's by then.
    if (!this.#isReplaced) this.#machine.disk.crash();
    this.abandon();
  }

  /** Another server has opened the store beside it. */
  replaced(): void {
    this.#isReplaced = true;
  }

  /** Brings what it has committed into the database file. */
  settle(): void {
    if (this.#inner !== undefined) settle(this.#inner);
  }

  /** Ends it without a trace, and lets go of its files. */
  abandon(): void {
    this.#end();
    if (this.#inner !== undefined) abandon(this.#inner);
    this.#inner = undefined;
  }

  /** Throws if the tables contradict each other, or what the server remembers contradicts them. */
  async checkInvariants(): Promise<void> {
    if (this.#checker === undefined || this.#store === undefined) throw new Error("the server has not been started");
    await this.#checker.check(this.#store, this.#inner);
  }

  #decorate(sqlite: Store): Store {
    const { breakStore, disk, record } = this.#machine;
    this.#inner = sqlite;
    const open = sqlite.open.bind(sqlite);
    sqlite.open = async (at) => {
      this.#beside?.settle();
      return open(at);
    };
    this.#store = recordingStore(breakStore(sqlite, disk.file), {
      life: this.life,
      record,
      isDead: () => this.#isDead,
      takeFault: () => {
        const fault = this.#fault;
        this.#fault = undefined;
        return fault;
      },
      die: () => {
        record({ kind: "event", what: `server ${this.life} crashes in a commit` });
        this.crash();
      },
    });
    return this.#store;
  }

  #end(): void {
    this.#isDead = true;
    this.#checker?.close();
    this.#checker = undefined;
    this.#markDead();
  }

  #logger(): Logger {
    const silent = (): void => undefined;
    return {
      debug: silent,
      info: silent,
      warn: silent,
      error: ({ error, call }, message) => {
        this.errors.push(
          `${message} ${String(call)}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
        );
      },
    };
  }
}
