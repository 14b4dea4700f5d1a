/*
 * The way between clients and the server, with what can go wrong on it: a request that never arrives, an answer that never
 * comes back, a call that arrives twice. A client that hears nothing does not know whether its call was carried out.
 */
import { Code, ConnectError, createClient, type Client, type Transport } from "@connectrpc/connect";
import { OperatorService, TaskService, WorkerService } from "@tq/proto";
import { ErrorInfoSchema } from "@tq/proto/google/rpc";
import type { CallOutcome, Entry, Reply, Request } from "./history.ts";
import type { Random } from "./random.ts";
import type { ServerProcess } from "./server-process.ts";

/** The services, as reached by one call. */
export interface Services {
  readonly tasks: Client<typeof TaskService>;
  readonly workers: Client<typeof WorkerService>;
  readonly operators: Client<typeof OperatorService>;
}

/** A call that can be made, and made again. */
export interface Call<Message> {
  readonly actor: string;
  readonly request: Request;
  readonly send: (services: Services, signal: AbortSignal) => Promise<Message>;
  /** What of the answer goes into the history. */
  readonly read: (message: Message) => Reply;
}

/** How a call ended: as the history has it, with the answer itself. */
export interface Ended<Message> {
  readonly outcome: CallOutcome;
  readonly message: Message | undefined;
}

/** What befalls a call on its way. */
type Fate = "arrives" | "request lost" | "reply lost" | "arrives twice" | "connection breaks";

/** How often each of these happens, of all calls; a connection that breaks, of all polls that would arrive. */
export type Faults = Readonly<Record<Exclude<Fate, "arrives">, number>>;

/** Nothing goes wrong. */
export const noFaults: Faults = { "request lost": 0, "reply lost": 0, "arrives twice": 0, "connection breaks": 0 };

const lost: Ended<never> = { outcome: { kind: "lost" }, message: undefined };

/** Carries calls to whichever server runs. */
export class Network {
  faults: Faults;
  readonly #random: Random;
  readonly #record: (entry: Entry) => void;
  readonly #services = new WeakMap<ServerProcess, Services>();
  #server: ServerProcess | undefined;
  /** Connections that broke, which their servers have not noticed yet. */
  readonly #unnoticed: (() => void)[] = [];
  #calls = 0;

  constructor(random: Random, record: (entry: Entry) => void, faults: Faults) {
    this.#random = random;
    this.#record = record;
    this.faults = faults;
  }

  /** From now on calls reach this server. */
  route(server: ServerProcess | undefined): void {
    this.#server = server;
  }

  /** Makes a call, once on its way or twice. Resolves when its client hears of it, or gives it up as lost. */
  async call<Message>(
    call: Call<Message>,
    signal: AbortSignal = new AbortController().signal,
  ): Promise<Ended<Message>> {
    const number = ++this.#calls;
    const { actor, request } = call;
    this.#record({ kind: "call", call: number, actor, request });
    const ended = await this.#carry(call, this.#fate(request), signal);
    this.#record({ kind: "reply", call: number, request, outcome: ended.outcome });
    return ended;
  }

  #fate({ method }: Request): Fate {
    let left = this.#random.next();
    for (const fate of ["request lost", "reply lost", "arrives twice"] as const) {
      left -= this.faults[fate];
      if (left < 0) return fate;
    }
    return method === "poll" && this.#random.chance(this.faults["connection breaks"]) ? "connection breaks" : "arrives";
  }

  async #carry<Message>(call: Call<Message>, fate: Fate, signal: AbortSignal): Promise<Ended<Message>> {
    switch (fate) {
      case "request lost":
        return lost;
      case "reply lost":
        await this.#reach(call, signal);
        return lost;
      case "connection breaks":
        if (call.request.method === "poll") await this.#breakOff(call, call.request, signal);
        return lost;
      case "arrives twice": {
        const [first, second] = await Promise.all([this.#reach(call, signal), this.#reach(call, signal)]);
        // A network that repeats a request passes one of the answers on.
        return this.#random.chance(0.5) ? first : second;
      }
      case "arrives":
        return this.#reach(call, signal);
    }
  }

  /** A server notices a connection that broke a while ago. The poll may have been repeated since. */
  notice(): void {
    this.#unnoticed.shift()?.();
  }

  /** Not a byte of a poll's answer goes out. Its server notices at once, or later. */
  async #breakOff<Message>(
    call: Call<Message>,
    { workerId, pollId }: Extract<Request, { method: "poll" }>,
    signal: AbortSignal,
  ): Promise<void> {
    const server = this.#server;
    if (server === undefined || server.isDead) return;
    const { transport, lose } = server.connectionThatBreaks();
    const { outcome } = await this.#reach(call, signal, servicesOver(transport));
    if (outcome.kind !== "ok" || outcome.reply.method !== "poll" || outcome.reply.tasks.length === 0) return;
    const tokens = outcome.reply.tasks.map(({ token }) => token);
    const notice = (): void => {
      if (server.isDead) return;
      this.#record({ kind: "undelivered", life: server.life, workerId, pollId, tokens });
      lose();
    };
    if (this.#random.chance(0.5)) notice();
    else this.#unnoticed.push(notice);
  }

  async #reach<Message>(call: Call<Message>, signal: AbortSignal, services?: Services): Promise<Ended<Message>> {
    const server = this.#server;
    if (server === undefined || server.isDead) return lost;
    const answered = this.#answer(services ?? this.#servicesOf(server), call, signal);
    return Promise.race([answered, server.died.then(() => lost)]);
  }

  async #answer<Message>(services: Services, call: Call<Message>, signal: AbortSignal): Promise<Ended<Message>> {
    try {
      const message = await call.send(services, signal);
      return { outcome: { kind: "ok", reply: call.read(message) }, message };
    } catch (error) {
      if (!(error instanceof ConnectError)) throw error;
      if (error.code === Code.Canceled) return lost;
      return { outcome: { kind: "refused", reason: reasonOf(error) }, message: undefined };
    }
  }

  #servicesOf(server: ServerProcess): Services {
    let services = this.#services.get(server);
    if (services === undefined) {
      services = servicesOver(server.transport);
      this.#services.set(server, services);
    }
    return services;
  }
}

function servicesOver(transport: Transport): Services {
  return {
    tasks: createClient(TaskService, transport),
    workers: createClient(WorkerService, transport),
    operators: createClient(OperatorService, transport),
  };
}

/** Code, reason and, where the caller is at fault, the text of a refusal. Other texts may name incidents, which are chance. */
function reasonOf(error: ConnectError): string {
  const [info] = error.findDetails(ErrorInfoSchema);
  const text = error.code === Code.InvalidArgument ? ` ${error.rawMessage}` : "";
  return `${Code[error.code]} ${info?.reason ?? ""}${text}`;
}
