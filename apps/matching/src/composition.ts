/* The composition root: the one place that knows which parts there are. Everything else receives what it needs. */
import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { ConnectRouter } from "@connectrpc/connect";
import { StoreError, type Store } from "@tq/storage";
import { SqliteStore, syncedAtOnce, type LogCalls } from "@tq/storage-sqlite";
import { systemClock, type Clock } from "./clock.ts";
import { lineLogger, type Logger } from "./log.ts";
import { Engine } from "./matching/engine.ts";
import { NetServer } from "./net/net-server.ts";
import type { HotCalls } from "./rpc/hot-calls.ts";
import { createHealth, createHotCalls, createRoutes, defaultMaxReplyBytes, type RoutesOptions } from "./rpc/routes.ts";
import { version } from "./version.ts";

export { syncedAtOnce };

/** Everything that can be set on a server. All of it has a default. */
export interface ServerOptions {
  /** Address to listen on. Default 127.0.0.1: there is no authentication, so it is the operator's to open it wider. */
  readonly host: string;
  /** Default 7333; 0 takes any free port. */
  readonly port: number;
  /** Folder of the store; made if it does not exist. Default `.tq` in the present folder. */
  readonly dataDir: string;
  /** How long a stop waits for calls that are under way. Default 10,000. */
  readonly shutdownGraceMs: number;
  /** The most bytes of an answer. Default 3.5 MiB: below the 4 MiB that gRPC clients take. */
  readonly maxReplyBytes: number;
  /** Default: lines of text on standard error. */
  readonly logger: Logger;
  /** Default: the machine's. */
  readonly clock: Clock;
  /** Numbers in [0, 1), for jitter. Default Math.random. */
  readonly random: () => number;
  /** Names this run of the server. Default: a UUID. */
  readonly instanceId: string;
  /** For tests: puts a store of theirs around the real one, to look on or to inject faults. Default: the store as it is. */
  readonly decorateStore: (store: Store) => Store;
  /** For tests: how the store's log is brought to the disk. Default: the system's calls. */
  readonly logCalls?: LogCalls;
}

/** A server: make it, `start` it, and `stop` it. */
export interface Server {
  /** Opens the store and listens. Rejects with StoreError or ListenError, and then nothing is left open. */
  start(): Promise<void>;
  /**
   * Drains: new work is refused, waiting polls are answered empty, what is in flight is committed and answered. Then
   * closes. Can be called twice.
   */
  stop(): Promise<void>;
  /** Resolves once it has stopped; with the reason, if it stopped by itself. */
  readonly closed: Promise<Error | undefined>;
  /** Such as "http://127.0.0.1:7333". Throws before it has started. */
  readonly url: string;
  /** The database file. */
  readonly dataFile: string;
  /** Its services, for a transport in memory instead of a port. */
  readonly routes: (router: ConnectRouter) => void;
  /** Those of its calls that are carried out from bytes to bytes; a transport in memory passes them the same as a port does. */
  readonly hotCalls: HotCalls;
}

function withDefaults(options: Partial<ServerOptions>): ServerOptions {
  return Object.freeze({
    host: "127.0.0.1",
    port: 7333,
    dataDir: ".tq",
    shutdownGraceMs: 10_000,
    maxReplyBytes: defaultMaxReplyBytes,
    logger: lineLogger(
      "text",
      (line) => void process.stderr.write(line),
      () => new Date(),
    ),
    clock: systemClock,
    random: Math.random,
    instanceId: randomUUID(),
    decorateStore: (store: Store) => store,
    ...options,
  });
}

/**
 * Makes a server. Nothing is opened before it is started.
 *
 * @param listen false: no port is opened; reach it through `routes`
 */
export function createServer(options: Partial<ServerOptions> = {}, listen = true): Server {
  const config = withDefaults(options);
  const { random, logCalls, logger } = config;
  const dataFile = join(resolve(config.dataDir), "tq.db");
  const checkpointFailed = (why: string): void =>
    logger.warn({ error: why }, `the log of ${dataFile} could not be brought into it; it grows until that succeeds`);
  const { promise: closed, resolve: resolveClosed } = Promise.withResolvers<Error | undefined>();
  let stopping: Promise<void> | undefined;

  const engine = new Engine({
    store: config.decorateStore(
      new SqliteStore({
        path: dataFile,
        random,
        ...(logCalls !== undefined && { logCalls }),
        // Without a port it is in a test, which has no use for another thread.
        ...(listen && { checkpointFailed }),
      }),
    ),
    clock: config.clock,
    instanceId: config.instanceId,
    maxReplyBytes: config.maxReplyBytes,
    onFatal: (error) => {
      config.logger.error({ error }, "the server stops: it has lost its store");
      void stop(error);
    },
  });
  const health = createHealth();
  const routesOptions: RoutesOptions = {
    version,
    health,
    maxReplyBytes: config.maxReplyBytes,
    random: config.random,
    report: ({ id, call, cause }) => config.logger.error({ incident: id, call, error: cause }, "a call failed"),
  };
  const routes = createRoutes(engine, routesOptions);
  const hotCalls = createHotCalls(engine, routesOptions);
  const { host, port } = config;
  const { report } = routesOptions;
  const net = listen ? new NetServer({ host, port, routes, hotCalls, report }) : undefined;

  async function stop(reason?: Error): Promise<void> {
    stopping ??= (async () => {
      health.drain();
      await engine.drain();
      await net?.stop(config.shutdownGraceMs);
      await engine.stop();
      resolveClosed(reason);
    })();
    return stopping;
  }

  return {
    async start() {
      makeFolder(config.dataDir);
      await engine.start();
      try {
        await net?.start();
      } catch (error) {
        await engine.stop();
        throw error;
      }
    },
    stop: async () => stop(),
    closed,
    get url() {
      if (net === undefined) throw new Error("this server has no port; reach it through its routes");
      return net.address.url;
    },
    dataFile,
    routes,
    hotCalls,
  };
}

function makeFolder(path: string): void {
  try {
    makeWithParents(resolve(path));
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new StoreError("unusable", `the data folder ${path} cannot be made: ${why}. Name another one.`, { cause });
  }
}

/** Level by level: Node's own `recursive` never returns where a folder of the system says that a parent is missing. */
function makeWithParents(path: string): void {
  if (existsSync(path)) return;
  makeWithParents(dirname(path));
  mkdirSync(path);
}
