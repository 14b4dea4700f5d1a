import { Code, ConnectError, type Transport } from "@connectrpc/connect";
import { type Duration, durationToMs } from "@tq/client";
import { invalidField, type KnownOptions, refuseUnknownOptions, shown } from "@tq/client/internal";
import { OperatorService, TaskService, WorkerService } from "@tq/proto";
import type { ManualClock } from "./manual-clock.ts";

/** A call of the API by its name in the contract, such as `"AddTasks"` or `"RenewLeases"`. */
export type CallName = Capitalize<
  keyof (typeof TaskService.method & typeof WorkerService.method & typeof OperatorService.method)
>;

/** A fault for a call that there is not would never be met, and its test show nothing. */
const callNames: ReadonlySet<string> = new Set(
  [TaskService, WorkerService, OperatorService].flatMap(({ methods }) => methods.map(({ name }) => name)),
);

/** Which calls a fault is for. */
export interface FaultOptions {
  /** Default: every call. */
  readonly calls?: CallName | readonly CallName[];
  /** How many of these calls it meets before it is over. Default: all, until it is cleared. */
  readonly times?: number;
}

/** A fault that is switched on. With `using` it is cleared at the end of the block. */
export interface Fault extends Disposable {
  /** Calls that it has met. */
  readonly hits: number;
  /** Switches it off. Calls that it holds up go on. */
  clear(): void;
}

/** Whose calls {@link Faults.stallWorker} holds up: a worker of this process, or a worker id. */
export type StalledWorker = { readonly config: { readonly workerId: string } } | string;

interface ActiveFault {
  readonly isFor: (call: Call) => boolean;
  /** Before the server hears of the call. */
  readonly onRequest?: (call: Call) => Promise<void>;
  /** When it has answered, before the caller hears of that. */
  readonly onReply?: (call: Call) => Promise<void>;
}

interface Call {
  readonly name: string;
  readonly workerId: string | undefined;
  readonly signal: AbortSignal;
}

/**
 * What can go wrong between clients, workers and the server, to be switched on by a test. Each holds until it is cleared, or
 * has met as many calls as it was made for. Restarts and crashes of the server are with the environment.
 */
export class Faults {
  readonly #clock: ManualClock;
  readonly #active = new Set<ActiveFault>();
  /** What ends the faults that are switched on. */
  readonly #clears = new Set<() => void>();

  /** @param clock The time that calls wait by. */
  constructor(clock: ManualClock) {
    this.#clock = clock;
  }

  /** The connection breaks before the server has heard of a call: nothing happens there. */
  loseRequests(options: FaultOptions = {}): Fault {
    return this.#add(options, () => ({
      onRequest: async ({ name }) => {
        throw new ConnectError(
          `the connection was lost on the way to ${name}, as the test asked for`,
          Code.Unavailable,
        );
      },
    }));
  }

  /** The server does what it was asked for, and the connection breaks before its caller hears so. */
  loseReplies(options: FaultOptions = {}): Fault {
    return this.#add(options, () => ({
      onReply: async ({ name }) => {
        throw new ConnectError(`the reply to ${name} was lost, as the test asked for`, Code.Unavailable);
      },
    }));
  }

  /**
   * The server answers late. A caller whose deadline comes first gives up, as it would over a network.
   *
   * @param delay how much later, by the clock
   * @throws TqError `invalid_argument` if it is no duration.
   */
  slowServer(delay: Duration, options: FaultOptions = {}): Fault {
    const ms = durationToMs(delay, "delay");
    return this.#add(options, () => ({ onReply: async ({ signal }) => this.#wait(ms, signal) }));
  }

  /**
   * Nothing that a worker sends arrives, and nothing that it is sent, as if its process hung or its network was gone: its
   * leases expire, and others get its tasks. What it runs goes on. Cleared, it is told all that it has missed.
   *
   * @param worker Default: every worker.
   * @throws TqError `invalid_argument` if it is neither a worker nor the id of one.
   */
  stallWorker(worker?: StalledWorker): Fault {
    const id = stalledId(worker);
    return this.#add({}, (cleared) => {
      const wait = async ({ signal }: Call) => this.#until(cleared, signal);
      return {
        isFor: ({ workerId }) => workerId !== undefined && (id === undefined || workerId === id),
        onRequest: wait,
        onReply: wait,
      };
    });
  }

  /** Switches all off. */
  clear(): void {
    for (const clear of this.#clears) clear();
  }

  /** The same transport, with the faults that are switched on. The deadlines of calls are by the clock. */
  around(inner: Transport): Transport {
    return {
      unary: async (method, signal, timeoutMs, header, input, contextValues) => {
        const call = async (ended: AbortSignal) => inner.unary(method, ended, timeoutMs, header, input, contextValues);
        return this.#call({ name: method.name, input }, { signal, timeoutMs }, call);
      },
      stream: async (method, signal, timeoutMs, header, input, contextValues) => {
        const call = async (ended: AbortSignal) => inner.stream(method, ended, timeoutMs, header, input, contextValues);
        return this.#call({ name: method.name, input: undefined }, { signal, timeoutMs: undefined }, call);
      },
    };
  }

  async #call<Answer>(
    { name, input }: { readonly name: string; readonly input: unknown },
    { signal, timeoutMs }: { readonly signal: AbortSignal | undefined; readonly timeoutMs: number | undefined },
    send: (signal: AbortSignal) => Promise<Answer>,
  ): Promise<Answer> {
    const ending = new AbortController();
    let isLate = false;
    const leave = () => ending.abort(signal?.reason);
    const late = () => {
      isLate = !ending.signal.aborted;
      ending.abort(new ConnectError(`${name} was not answered within ${timeoutMs} ms`, Code.DeadlineExceeded));
    };
    const cancel = timeoutMs === undefined ? () => undefined : this.#clock.after(timeoutMs, late);
    const call = { name, workerId: workerIdOf(input), signal: ending.signal };
    if (signal?.aborted === true) leave();
    signal?.addEventListener("abort", leave, { once: true });
    const faults = [...this.#active].filter((fault) => fault.isFor(call));
    try {
      for (const { onRequest } of faults) await onRequest?.(call);
      const answer = await send(ending.signal);
      // Those that were switched on meanwhile meet the answer too: a stall does not let through what was asked before it.
      const met = [...this.#active].filter((fault) => fault.isFor(call) && !faults.includes(fault));
      for (const { onReply } of [...faults, ...met]) await onReply?.(call);
      return answer;
    } catch (error) {
      throw isLate ? ending.signal.reason : error;
    } finally {
      cancel();
      signal?.removeEventListener("abort", leave);
    }
  }

  #add(options: FaultOptions, make: (cleared: Promise<void>) => Partial<ActiveFault>): Fault {
    refuseUnknownOptions(options, faultOptions);
    const { calls, times = Infinity } = options;
    const given: unknown = calls;
    if (given !== undefined && typeof given !== "string" && !Array.isArray(given))
      throw invalidField("calls", `${shown(given)} is neither a call's name nor an array of them`);
    const names = calls === undefined ? undefined : typeof calls === "string" ? [calls] : calls;
    for (const name of names ?? []) {
      if (!callNames.has(name)) throw invalidField("calls", `${shown(name)} is no call of the API`);
    }
    if (times !== Infinity && !Number.isInteger(times))
      throw invalidField("times", `${shown(times)} is no whole number`);
    if (times < 1) throw invalidField("times", `${times} is less than 1`);
    const cleared = Promise.withResolvers<void>();
    let hits = 0;
    const parts = make(cleared.promise);
    const clear = () => {
      this.#active.delete(active);
      this.#clears.delete(clear);
      cleared.resolve();
    };
    const active: ActiveFault = {
      ...parts,
      isFor: (call) => {
        const isMet = parts.isFor?.(call) ?? (names === undefined || names.some((name) => name === call.name));
        if (!isMet) return false;
        hits += 1;
        if (hits >= times) this.#active.delete(active);
        return true;
      },
    };
    this.#active.add(active);
    this.#clears.add(clear);
    return {
      get hits() {
        return hits;
      },
      clear,
      [Symbol.dispose]: clear,
    };
  }

  async #wait(ms: number, signal: AbortSignal): Promise<void> {
    const over = Promise.withResolvers<void>();
    const cancel = this.#clock.after(ms, over.resolve);
    try {
      await this.#until(over.promise, signal);
    } finally {
      cancel();
    }
  }

  /** Waits for a promise, or rejects as the signal aborts. */
  async #until(promise: Promise<void>, signal: AbortSignal): Promise<void> {
    const aborted = Promise.withResolvers<never>();
    const abort = () => aborted.reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    try {
      await Promise.race([promise, aborted.promise]);
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }
}

const faultOptions: KnownOptions<FaultOptions> = { calls: true, times: true };

function stalledId(worker: unknown): string | undefined {
  if (worker === undefined || (typeof worker === "string" && worker !== "")) return worker;
  const config: unknown = typeof worker === "object" && worker !== null ? Reflect.get(worker, "config") : undefined;
  const id = workerIdOf(config);
  if (id === undefined) throw invalidField("worker", `${shown(worker)} is neither a worker nor the id of one`);
  return id;
}

/** Which worker makes a call, if one does. */
function workerIdOf(input: unknown): string | undefined {
  if (typeof input !== "object" || input === null) return undefined;
  if ("workerId" in input && typeof input.workerId === "string" && input.workerId !== "") return input.workerId;
  return "worker" in input ? workerIdOf(input.worker) : undefined;
}
