/** One task queue system as the benchmark sees it: what its own public client library does, and nothing around it. */
export interface Adapter {
  /** Adds these with one call of the library, or as near to that as it has. Resolves once they are acknowledged. */
  addBatch(payloads: readonly string[]): Promise<unknown>;
  /** Adds one. Resolves once it is acknowledged. */
  add(payload: string): Promise<unknown>;
  /** Starts the one worker, with 100 slots or what comes nearest. `handler` gets each payload as its handler begins. */
  work(handler: (payload: string) => void): Promise<unknown>;
  /** Ends the worker, if there is one, and closes the connections. */
  close(): Promise<unknown>;
}

/** Where the system listens and which queue to use. */
export interface Target {
  readonly host: string;
  readonly port: number;
  readonly queue: string;
  /** The adapter's own, such as which kind of queue to use. */
  readonly settings: Readonly<Record<string, string>>;
}

/** What the module of an adapter exports. */
export interface AdapterModule {
  connect(target: Target): Promise<Adapter>;
}

/** Slots of the worker. */
export const slots = 100;

const payloadBytes = 256;

/** A payload of 256 bytes that says when it was made, in ms of this process. */
export function stampedPayload(): string {
  return `${performance.now()} `.padEnd(payloadBytes, "x");
}

/** How many ms ago a payload was made in this process. */
export function ageMs(payload: string): number {
  return performance.now() - Number.parseFloat(payload);
}
