import { hostname } from "node:os";
import type { Transport } from "@connectrpc/connect";
import {
  Client,
  type ClientOptions,
  type Clock,
  type Duration,
  durationToMs,
  type IdSource,
  type PayloadCodec,
  type PayloadConverter,
  systemClock,
} from "@tq/client";
import {
  invalidField,
  type KnownOptions,
  optionalBoolean,
  requireName,
  requireShort,
  shown,
  withMethods,
} from "@tq/client/internal";
import { type Logger, stderrLogger } from "./logger.ts";

/** Options of everything that takes tasks: of workers and task pollers alike. All are optional. */
export interface SessionOptions {
  /** A client to share. The worker does not close it. Default: one of its own, made of the next four options. */
  readonly client?: Client;
  /** Where the server is. Default `127.0.0.1:7333`. */
  readonly address?: string;
  /** Any Connect transport, instead of `address`. */
  readonly transport?: Transport;
  /** Default `default`. */
  readonly namespace?: string;
  /** Turns arguments and results into payloads and back. Default: as the client has it. */
  readonly payloadConverter?: PayloadConverter;
  /** What is done to payloads on their way, and undone: see `ClientOptions.payloadCodecs`. Default: as the client has it. */
  readonly payloadCodecs?: readonly PayloadCodec[];
  /**
   * Also passes the message and the stack of failures through the codecs, so that nobody reads them on the server; their
   * types stay readable. Default: as the client has it, which is false.
   */
  readonly encodeCommonAttributes?: boolean;
  /** Who the worker is, for people. At most 200 bytes. Default `<process id>@<host>`. */
  readonly identity?: string;
  /** Version of the worker's code. At most 200 bytes. Default none. */
  readonly buildId?: string;
  /**
   * How long the server waits for a sign of life before it gives a task to somebody else, 1 s to 12 h. It has nothing to do
   * with how long handlers take: the worker renews its leases. Default 30 s: long enough for a hiccup, short enough that
   * the tasks of a worker that was killed do not wait long.
   */
  readonly lease?: Duration;
  /**
   * Renews leases from a thread of the SDK's own, with a connection of its own, so that a handler that blocks the event loop
   * keeps its lease, and the others theirs. Default true; The thread is one for all workers of a process; false saves it
   * and its memory. Over a `transport` or on a
   * `clock` that was passed in there is none either way: a thread cannot have them.
   */
  readonly renewalThread?: boolean;
  /**
   * An event loop that has stood still for so long is reported, with the handlers that ran, by a line on stderr as it stands
   * and one in the log when it goes on. Default 2 s: longer than a garbage collection, shorter than anybody waits. Needs the
   * renewal thread.
   */
  readonly reportBlockedEventLoopAfter?: Duration;
  /** How long `shutdown()` lets handlers go on before their signals are aborted. Default 10 s. */
  readonly shutdownGraceTime?: Duration;
  /**
   * How long after `shutdown()` handlers that still run are given up and their tasks given back. Default: 5 s after the grace
   * time. Where it is the shorter one, the grace time ends with it.
   */
  readonly shutdownForceTime?: Duration;
  /** Default: warnings and errors to stderr, one line each. */
  readonly logger?: Logger;
  /** Default: the machine's clock. */
  readonly clock?: Clock;
  /** Makes the ids of the worker, its polls and its calls. Default: UUIDv7. */
  readonly newId?: IdSource;
  /** Randomness for waits, 0 to 1. Default `Math.random`. */
  readonly random?: () => number;
}

/** {@link SessionOptions}, complete and checked. */
export interface SessionConfig {
  readonly client: Client;
  /** True: the worker closes it. */
  readonly ownsClient: boolean;
  readonly workerId: string;
  readonly identity: string;
  readonly buildId: string;
  readonly leaseMs: number;
  /** Leases are renewed from a thread. */
  readonly renewsInThread: boolean;
  readonly blockedAfterMs: number;
  readonly shutdownGraceMs: number;
  readonly shutdownForceMs: number;
  readonly logger: Logger;
}

/** The names of {@link SessionOptions}. */
export const sessionOptions: KnownOptions<SessionOptions> = {
  client: true,
  address: true,
  transport: true,
  namespace: true,
  payloadConverter: true,
  payloadCodecs: true,
  encodeCommonAttributes: true,
  identity: true,
  buildId: true,
  lease: true,
  renewalThread: true,
  reportBlockedEventLoopAfter: true,
  shutdownGraceTime: true,
  shutdownForceTime: true,
  logger: true,
  clock: true,
  newId: true,
  random: true,
};

/**
 * Checks the options and fills in the defaults, once.
 *
 * @throws TqError `invalid_argument` naming the option.
 */
export function compileSessionConfig(options: SessionOptions): SessionConfig {
  const { client: shared } = options;
  if (shared !== undefined) {
    withMethods(shared, "client", ["close"]);
    refuseBeside(options, clientOptionNames);
  }
  optionalBoolean(options.renewalThread, "renewalThread");
  if (options.identity !== undefined) requireName(options.identity, "identity", maxNameBytes);
  if (options.buildId !== undefined) requireShort(options.buildId, "buildId", maxNameBytes);
  const leaseMs = within(1_000, durationToMs(options.lease ?? "30s", "lease"), 12 * 3_600_000, "lease");
  const graceMs = durationToMs(options.shutdownGraceTime ?? "10s", "shutdownGraceTime");
  const shutdownForceMs = durationToMs(options.shutdownForceTime ?? graceMs + 5_000, "shutdownForceTime");
  const client = shared ?? Client.create(clientOptions(options));
  return {
    client,
    ownsClient: shared === undefined,
    workerId: client.config.newId(),
    identity: options.identity ?? `${process.pid}@${hostname()}`,
    buildId: options.buildId ?? "",
    leaseMs,
    renewsInThread:
      options.renewalThread !== false && client.config.transport === undefined && client.config.clock === systemClock,
    blockedAfterMs: durationToMs(options.reportBlockedEventLoopAfter ?? "2s", "reportBlockedEventLoopAfter"),
    shutdownGraceMs: Math.min(graceMs, shutdownForceMs),
    shutdownForceMs,
    logger: withMethods(options.logger ?? stderrLogger, "logger", ["debug", "info", "warn", "error"]),
  };
}

/** What the server takes of the name of a queue. */
export const maxQueueNameBytes = 200;
/** What it takes of the other names of a worker. */
const maxNameBytes = 200;

/**
 * A number of slots: 1 to 10,000.
 *
 * @throws TqError `invalid_argument` naming `field`.
 */
export function slotCount(value: number, field: string): number {
  if (!Number.isInteger(value)) throw invalidField(field, `${shown(value)} is no whole number`);
  return within(1, value, 10_000, field);
}

/** Options that a client of the worker's own is made of. */
const clientOptionNames = [
  "address",
  "transport",
  "namespace",
  "payloadConverter",
  "payloadCodecs",
  "encodeCommonAttributes",
  "clock",
  "newId",
  "random",
] as const satisfies readonly (keyof SessionOptions & keyof ClientOptions)[];

function clientOptions(options: SessionOptions): ClientOptions {
  // Its lines are the worker's own.
  return Object.fromEntries(
    [...clientOptionNames, "logger" as const].flatMap((name) =>
      options[name] === undefined ? [] : [[name, options[name]]],
    ),
  );
}

/** With a shared client these are the client's to say; that they would be ignored should not come as a surprise later. */
function refuseBeside(options: SessionOptions, names: readonly (keyof SessionOptions)[]): void {
  const name = names.find((each) => options[each] !== undefined);
  if (name !== undefined) throw invalidField(name, "give it to the client that is passed as `client`, not beside it");
}

function within(minimum: number, value: number, maximum: number, field: string): number {
  if (value < minimum || value > maximum) throw invalidField(field, `${value} is not from ${minimum} to ${maximum}`);
  return value;
}
