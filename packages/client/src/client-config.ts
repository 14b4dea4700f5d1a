import type { Transport } from "@connectrpc/connect";
import { type Meter, metrics, trace, type Tracer } from "@opentelemetry/api";
import type { AddRoomOptions } from "./add-room.ts";
import { type KnownOptions, refuseUnknownOptions } from "./known-options.ts";
import { type Clock, systemClock } from "./clock.ts";
import { type Duration, durationToMs } from "./duration.ts";
import { invalidField } from "./errors.ts";
import { createIdSource, type IdSource } from "./ids.ts";
import type { ClientInterceptor } from "./interceptors.ts";
import { type Logger, stderrLogger } from "./logger.ts";
import { MessageCodec } from "./message-codec.ts";
import { optionalBoolean, optionalFunction, requireName, requireText, shown } from "./option-checks.ts";
import type { PayloadCodec } from "./payload-codec.ts";
import { defaultPayloadConverter, type PayloadConverter } from "./payload-converter.ts";
import type { RetryConfig } from "./retry.ts";
import { baseUrlOf, defaultAddress, type HttpVersion } from "./transport.ts";
import { allWithMethods, withMethods } from "./with-methods.ts";

/** How a client makes failed calls again. Only calls that may succeed the second time are; none has its effect twice. */
export interface ClientRetryOptions {
  /** Before the second try; it doubles from then on, and half of each wait is drawn at random. Default 100 ms. */
  readonly initialInterval?: Duration;
  /** Longest wait. Default 5 s. */
  readonly maximumInterval?: Duration;
  /** How long to go on trying: long enough to sit out a restart of the server. Default 30 s; 0 tries once. */
  readonly giveUpAfter?: Duration;
}

/**
 * How a client makes batches of tasks that are added one by one. What arrives while a call is under way goes into the next. Of
 * 256 tasks and more that come together the second half waits for the first one's reply, so that callers who await their adds
 * make the next tasks while the server is at the others'; where one caller awaits them all, they soon go in one call again.
 */
export interface CoalescingOptions {
  /** Most tasks in a call. Default 1,000: a larger call is hardly faster, and makes the first of its tasks wait longer. */
  readonly maxTasksPerCall?: number;
  /** Most bytes in a call, roughly. Default 4 MiB; one larger task goes alone. */
  readonly maxBytesPerCall?: number;
  /**
   * Most calls under way at once. Default 1, with which tasks are added in the order of the calls to `add`; more give up
   * that order, and add faster where the server is far away.
   */
  readonly maxCallsInFlight?: number;
}

/**
 * How much may wait in the client where the server is slower than the tasks come. Up to the first two bounds tasks are
 * encoded and stand in line; beyond, calls wait as they are until there is room, and {@link Client} refuses more than
 * `maxWaitingCalls` of those (`resource_exhausted`). Who awaits his adds never sees that.
 */
export interface BackPressureOptions {
  /** Tasks that are encoded and not answered. Default 5,000: five full calls; more are no faster, and what waits long costs the garbage collector. One `addMany` may go beyond. */
  readonly maxWaitingTasks?: number;
  /** Their bytes. Default 64 MiB. */
  readonly maxWaitingBytes?: number;
  /** Calls that wait for room. Default 100,000: each is a promise and the arguments that it was given. */
  readonly maxWaitingCalls?: number;
}

/** Options of a {@link Client}; all optional. */
export interface ClientOptions {
  /** Where the server is: `host:port`, or an `http://` or `https://` URL. Default `127.0.0.1:7333`. */
  readonly address?: string;
  /** Namespace of all tasks and queues that the client names. Default `default`. */
  readonly namespace?: string;
  /**
   * Default `1.1`: measured at nearly twice the unary calls per second of HTTP/2 in Node; and the calls that every task passes
   * through go in frames of tq's own then, over up to four connections, where the server takes these and not a proxy.
   */
  readonly httpVersion?: HttpVersion;
  /** Any Connect transport, instead of `address` and `httpVersion`. The client does not close it. */
  readonly transport?: Transport;
  /** Deadline of one try of a call that does not wait for something. Default 10 s. */
  readonly callTimeout?: Duration;
  readonly retry?: ClientRetryOptions;
  readonly coalescing?: CoalescingOptions;
  readonly backPressure?: BackPressureOptions;
  /**
   * How long `close` waits for tasks that are being added, so that it ends though the server is gone. Default 5 s; those
   * that are left are refused (`canceled`), and may have been added.
   */
  readonly closeTimeout?: Duration;
  /** See the calls about tasks and change them; the first is outermost. Default none. */
  readonly interceptors?: readonly ClientInterceptor[];
  /**
   * Makes the spans of adds and results, whose trace goes with the tasks. Default: that of OpenTelemetry's API, which does
   * nothing unless the program registers an SDK.
   */
  readonly tracer?: Tracer;
  /** Makes the client's metrics. Default: that of OpenTelemetry's API. */
  readonly meter?: Meter;
  /**
   * Hears when the server cannot be reached and when it can again, a line each. Any logger with pino's four methods.
   * Default: warnings to stderr.
   */
  readonly logger?: Logger;
  /** Turns arguments and results into payloads and back. Default: JSON, bytes, and nothing for `undefined`. */
  readonly payloadConverter?: PayloadConverter;
  /**
   * What is done to payloads on their way out, in this order, and undone on their way in: compression before encryption.
   * Default none, and then nothing waits for any. It is applied to arguments, results, the details of failures and
   * heartbeats, the context of on-close and the arguments of a fallback. Everything that reads them needs the same.
   */
  readonly payloadCodecs?: readonly PayloadCodec[];
  /**
   * Also passes the message and the stack of failures through the codecs, so that nobody reads them on the server; their
   * types stay readable, for retry policies. Only workers make failures: set it there. Default false.
   */
  readonly encodeCommonAttributes?: boolean;
  /** Default: the machine's clock. */
  readonly clock?: Clock;
  /** Makes the ids of tasks and calls. Default: UUIDv7. */
  readonly newId?: IdSource;
  /** Randomness for waits, 0 to 1. Default `Math.random`. */
  readonly random?: () => number;
}

/** {@link ClientOptions}, complete and checked. */
export interface ClientConfig {
  /** Base URL; unset where a transport was given. */
  readonly address: string | undefined;
  readonly namespace: string;
  readonly httpVersion: HttpVersion;
  readonly transport: Transport | undefined;
  readonly callTimeoutMs: number;
  readonly retry: RetryConfig;
  readonly coalescing: Required<CoalescingOptions>;
  readonly backPressure: AddRoomOptions;
  readonly closeTimeoutMs: number;
  readonly interceptors: readonly ClientInterceptor[];
  readonly tracer: Tracer;
  readonly meter: Meter;
  readonly logger: Logger;
  readonly payloadConverter: PayloadConverter;
  /** Codecs over whole messages; unset where there are none. */
  readonly messageCodec: MessageCodec | undefined;
  readonly clock: Clock;
  readonly newId: IdSource;
  readonly random: () => number;
}

/** What the client's spans and metrics say they come from. */
const instrumentation = "@tq/client";

const clientOptions: KnownOptions<ClientOptions> = {
  address: true,
  namespace: true,
  httpVersion: true,
  transport: true,
  callTimeout: true,
  retry: true,
  coalescing: true,
  backPressure: true,
  closeTimeout: true,
  interceptors: true,
  tracer: true,
  meter: true,
  logger: true,
  payloadConverter: true,
  payloadCodecs: true,
  encodeCommonAttributes: true,
  clock: true,
  newId: true,
  random: true,
};

const retryOptions: KnownOptions<ClientRetryOptions> = {
  initialInterval: true,
  maximumInterval: true,
  giveUpAfter: true,
};

const coalescingOptions: KnownOptions<CoalescingOptions> = {
  maxTasksPerCall: true,
  maxBytesPerCall: true,
  maxCallsInFlight: true,
};

const backPressureOptions: KnownOptions<BackPressureOptions> = {
  maxWaitingTasks: true,
  maxWaitingBytes: true,
  maxWaitingCalls: true,
};

/**
 * Checks the options and fills in the defaults, once.
 *
 * @throws TqError `invalid_argument` naming the option.
 */
export function compileClientConfig(options: ClientOptions): ClientConfig {
  refuseUnknownOptions(options, clientOptions);
  const { retry = {}, coalescing = {}, backPressure = {}, clock = systemClock } = options;
  refuseUnknownOptions(retry, retryOptions, "retry");
  refuseUnknownOptions(coalescing, coalescingOptions, "coalescing");
  refuseUnknownOptions(backPressure, backPressureOptions, "backPressure");
  checkTransport(options);
  optionalFunction(options.newId, "newId");
  optionalFunction(options.random, "random");
  optionalBoolean(options.encodeCommonAttributes, "encodeCommonAttributes");
  return Object.freeze<ClientConfig>({
    address: options.transport === undefined ? baseUrlOf(options.address ?? defaultAddress) : undefined,
    namespace: namespaceOf(options.namespace),
    httpVersion: httpVersionOf(options.httpVersion ?? "1.1"),
    transport: options.transport,
    callTimeoutMs: atLeast(1, durationToMs(options.callTimeout ?? "10s", "callTimeout"), "callTimeout"),
    retry: Object.freeze({
      initialIntervalMs: durationToMs(retry.initialInterval ?? 100, "retry.initialInterval"),
      maximumIntervalMs: durationToMs(retry.maximumInterval ?? "5s", "retry.maximumInterval"),
      giveUpAfterMs: durationToMs(retry.giveUpAfter ?? "30s", "retry.giveUpAfter"),
    }),
    coalescing: Object.freeze({
      maxTasksPerCall: wholeAtLeast(1, coalescing.maxTasksPerCall ?? 1_000, "coalescing.maxTasksPerCall"),
      maxBytesPerCall: atLeast(1, coalescing.maxBytesPerCall ?? 4 * 1024 * 1024, "coalescing.maxBytesPerCall"),
      maxCallsInFlight: wholeAtLeast(1, coalescing.maxCallsInFlight ?? 1, "coalescing.maxCallsInFlight"),
    }),
    backPressure: Object.freeze({
      maxTasks: atLeast(1, backPressure.maxWaitingTasks ?? 5_000, "backPressure.maxWaitingTasks"),
      maxBytes: atLeast(1, backPressure.maxWaitingBytes ?? 64 * 1024 * 1024, "backPressure.maxWaitingBytes"),
      maxWaitingCalls: atLeast(0, backPressure.maxWaitingCalls ?? 100_000, "backPressure.maxWaitingCalls"),
    }),
    closeTimeoutMs: durationToMs(options.closeTimeout ?? "5s", "closeTimeout"),
    interceptors: [...allWithMethods(options.interceptors ?? [], "interceptors", [])],
    tracer: withMethods(options.tracer ?? trace.getTracer(instrumentation), "tracer", ["startSpan"]),
    meter: withMethods(options.meter ?? metrics.getMeter(instrumentation), "meter", ["createCounter"]),
    logger: withMethods(options.logger ?? stderrLogger, "logger", ["debug", "info", "warn", "error"]),
    payloadConverter: withMethods(options.payloadConverter ?? defaultPayloadConverter, "payloadConverter", [
      "toPayload",
      "fromPayload",
    ]),
    messageCodec: messageCodec(options),
    clock: withMethods(clock, "clock", ["now", "setTimeout", "clearTimeout"]),
    newId: options.newId ?? createIdSource(clock),
    random: options.random ?? Math.random,
  });
}

function messageCodec(options: ClientOptions): MessageCodec | undefined {
  const { payloadCodecs: codecs = [], encodeCommonAttributes = false } = options;
  // Also without codecs of its own, a client moves the text of failures if it is told to: a codec may sit behind it.
  allWithMethods(codecs, "payloadCodecs", ["encode", "decode"]);
  if (codecs.length === 0 && !encodeCommonAttributes) return undefined;
  return new MessageCodec({ codecs, encodeCommonAttributes });
}

function httpVersionOf(version: HttpVersion): HttpVersion {
  switch (version) {
    case "1.1":
    case "2":
      return version;
    default:
      throw invalidField("httpVersion", `${String(version)} is neither "1.1" nor "2"`);
  }
}

/** What the server takes of a namespace's name. */
const maxNamespaceBytes = 200;

function namespaceOf(namespace: unknown): string {
  if (namespace === undefined) return "default";
  requireName(namespace, "namespace", maxNamespaceBytes);
  return namespace;
}

function checkTransport({ transport, address, httpVersion }: ClientOptions): void {
  if (transport === undefined) {
    if (address !== undefined) requireText(address, "address");
    return;
  }
  withMethods(transport, "transport", ["unary", "stream"]);
  const beside = address !== undefined ? "address" : httpVersion !== undefined ? "httpVersion" : undefined;
  if (beside !== undefined)
    throw invalidField(beside, "a `transport` knows where the server is: give one of the two, not both");
}

function atLeast(minimum: number, value: number, field: string): number {
  const given: unknown = value;
  if (typeof given !== "number" || Number.isNaN(given)) throw invalidField(field, `${shown(given)} is no number`);
  if (given < minimum) throw invalidField(field, `${given} is less than ${minimum}`);
  return given;
}

function wholeAtLeast(minimum: number, value: number, field: string): number {
  const given = atLeast(minimum, value, field);
  if (!Number.isInteger(given) && given !== Infinity) throw invalidField(field, `${given} is no whole number`);
  return given;
}
