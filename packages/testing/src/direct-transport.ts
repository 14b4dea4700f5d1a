/*
 * Calls of a server in this process, without HTTP and Connect's protocol around them, which are most of what a call in
 * memory costs otherwise. What is asked and answered goes through its bytes, as it does over a port: nothing is shared, and
 * nothing arrives that could not be written down. Errors go through their JSON. Time is the clock's, and no timer of the
 * machine is set. What is out of the ordinary (streams, large requests) goes through Connect, in memory.
 */
import {
  create,
  type DescMessage,
  type DescMethod,
  type DescMethodUnary,
  type DescService,
  fromBinary,
  isMessage,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  type ConnectRouter,
  createContextValues,
  createRouterTransport,
  type HandlerContext,
  type Interceptor,
  type Transport,
  type UnaryRequest,
  type UnaryResponse,
} from "@connectrpc/connect";
import { errorFromJsonBytes, errorToJsonBytes } from "@connectrpc/connect/protocol-connect";
import { type CallOrigin, deliveryKey, type Server } from "@tq/matching";
import { DirectDelivery } from "./direct-delivery.ts";
import type { ManualClock } from "./manual-clock.ts";

/** Larger requests go through Connect, which knows how much a server reads. */
const maxDirectBytes = 1024 * 1024;

/** A unary call as a service implements it, with what stands around it. */
/** Where a direct call comes from. */
interface DirectOrigin extends CallOrigin {
  /** The caller's own, for handlers that Connect would give one. */
  readonly signal: AbortSignal;
}

type Handler = (request: UnaryRequest, origin: DirectOrigin) => Promise<UnaryResponse>;

/** A call of any kind, as interceptors take it. */
type AnyCall = Parameters<Interceptor>[0];

/** Of callers that cannot go away. */
const neverAborted = new AbortController().signal;

/** See the top of the file. */
export class DirectTransport implements Transport {
  /** Through Connect. */
  readonly stream: Transport["stream"];
  readonly #throughConnect: Transport;
  readonly #hotCalls: Server["hotCalls"];
  readonly #handlers: ReadonlyMap<string, Handler>;
  readonly #clock: ManualClock;

  constructor({ routes, hotCalls }: Pick<Server, "routes" | "hotCalls">, clock: ManualClock) {
    this.#throughConnect = createRouterTransport(routes);
    this.stream = this.#throughConnect.stream.bind(this.#throughConnect);
    this.#hotCalls = hotCalls;
    this.#handlers = handlersOf(routes);
    this.#clock = clock;
  }

  unary: Transport["unary"] = async (method, signal, timeoutMs, header, input, contextValues) => {
    const request = bytesOf(method.input, input);
    const path = pathOf(method);
    const handler = this.#handlers.get(path);
    if (handler === undefined || request.length > maxDirectBytes)
      return this.#throughConnect.unary(method, signal, timeoutMs, header, input, contextValues);
    const caller = signal ?? neverAborted;
    if (caller.aborted) throw ConnectError.from(caller.reason, Code.Canceled);
    const delivery = new DirectDelivery();
    const deadline = timeoutMs === undefined ? undefined : this.#clock.now() + timeoutMs;
    const timeLeft = () => (deadline === undefined ? undefined : deadline - this.#clock.now());
    const origin: DirectOrigin = { signal: caller, delivery, timeoutMs: timeLeft };
    const answered = async (): Promise<Uint8Array> => {
      try {
        const reply = await this.#hotCalls.get(path)?.(request, origin);
        return reply ?? (await this.#callHandler(handler, method, request, header, origin));
      } catch (reason) {
        throw asOverTheWire(reason);
      }
    };
    const reply = await unlessGone(answered(), caller, delivery);
    return {
      stream: false,
      service: method.parent,
      method,
      header: new Headers(),
      trailer: new Headers(),
      message: fromBinary(method.output, reply),
    };
  };

  async #callHandler(
    handler: Handler,
    method: DescMethodUnary,
    bytes: Uint8Array,
    header: Parameters<Transport["unary"]>[3],
    origin: DirectOrigin,
  ): Promise<Uint8Array> {
    const request: UnaryRequest = {
      stream: false,
      service: method.parent,
      method,
      requestMethod: "POST",
      url: `https://in-memory${pathOf(method)}`,
      signal: origin.signal,
      header: new Headers(header as ConstructorParameters<typeof Headers>[0]),
      contextValues: createContextValues().set(deliveryKey, origin.delivery),
      message: fromBinary(method.input, bytes),
    };
    const { message } = await handler(request, origin);
    return toBinary(method.output, message);
  }
}

/** The unary calls that a server routes, by their paths, as they are without a protocol. */
function handlersOf(routes: Server["routes"]): ReadonlyMap<string, Handler> {
  const handlers = new Map<string, Handler>();
  const router: ConnectRouter = {
    handlers: [],
    service: (service, implementation, options) => {
      addHandlers(handlers, service, implementation, options?.interceptors ?? []);
      return router;
    },
    // The server registers whole services. What it would register otherwise is reached through Connect.
    rpc: () => router,
  };
  routes(router);
  return handlers;
}

function addHandlers(
  handlers: Map<string, Handler>,
  service: DescService,
  implementation: object,
  interceptors: readonly Interceptor[],
): void {
  for (const method of service.methods) {
    const implemented: unknown = Reflect.get(implementation, method.localName);
    if (!isUnary(method) || typeof implemented !== "function") continue;
    const answer: Handler = async (request, { timeoutMs }) => {
      const { url, requestMethod, signal, header, contextValues } = request;
      // As Connect makes one, but without its own timers for the deadline, and its signals around the caller's.
      const context: HandlerContext = {
        service,
        method,
        protocolName: "connect",
        requestMethod,
        url,
        signal,
        timeoutMs,
        requestHeader: header,
        responseHeader: new Headers(),
        responseTrailer: new Headers(),
        values: contextValues,
      };
      const said: unknown = await Reflect.apply(implemented, implementation, [request.message, context]);
      const message = messageOf(method.output, said as MessageInitShape<DescMessage>);
      const { responseHeader, responseTrailer } = context;
      return { stream: false, service, method, header: responseHeader, trailer: responseTrailer, message };
    };
    handlers.set(pathOf(method), async (request, origin) => {
      const last: AnyCall = async (asked) => {
        if (asked.stream) throw new Error(`${method.name} is no stream`);
        return answer(asked, origin);
      };
      const response = await interceptors.reduceRight((inner, outer) => outer(inner), last)(request);
      if (response.stream) throw new Error(`${method.name} was answered by a stream`);
      return response;
    });
  }
}

function isUnary(method: DescMethod): method is DescMethod & DescMethodUnary {
  return method.methodKind === "unary";
}

function pathOf(method: DescMethodUnary): string {
  return `/${method.parent.typeName}/${method.name}`;
}

function messageOf<Schema extends DescMessage>(schema: Schema, init: MessageInitShape<Schema>): MessageShape<Schema> {
  return isMessage(init, schema) ? init : create(schema, init);
}

/** @throws ConnectError `InvalidArgument` if the message cannot be written down, as a client over a port does. */
function bytesOf<Schema extends DescMessage>(schema: Schema, input: MessageInitShape<Schema>): Uint8Array {
  try {
    return toBinary(schema, messageOf(schema, input));
  } catch (error) {
    throw ConnectError.from(error, Code.InvalidArgument);
  }
}

/** An error as its caller gets it: without its cause, and its details in bytes. */
function asOverTheWire(reason: unknown): ConnectError {
  const error = ConnectError.from(reason, Code.Internal);
  return errorFromJsonBytes(errorToJsonBytes(error, undefined), error.metadata, error);
}

/** The answer, unless the caller goes first: then the server hears that it reached nobody. */
async function unlessGone(
  answered: Promise<Uint8Array>,
  caller: AbortSignal,
  delivery: DirectDelivery,
): Promise<Uint8Array> {
  const { promise: gone, reject } = Promise.withResolvers<never>();
  const leave = () => {
    if (delivery.lost()) reject(ConnectError.from(caller.reason, Code.Canceled));
  };
  const handedOver = answered.then((reply) => {
    delivery.handedOver();
    return reply;
  });
  caller.addEventListener("abort", leave, { once: true });
  try {
    return await Promise.race([handedOver, gone]);
  } finally {
    caller.removeEventListener("abort", leave);
  }
}
