import type { CallerSignal, Delivery } from "../matching/matching.ts";
import type { CallOrigin } from "../rpc/services-context.ts";
import { isGone, type AnyRequest, type AnyResponse } from "./node-http.ts";

/** Told as a call has ended: its answer has gone out, or its connection has. */
export type CallEnded = (request: AnyRequest, response: AnyResponse) => void;

/**
 * A call over HTTP: where it came from, its body, whether its caller is still there, and what becomes of its answer, which is
 * lost if the connection goes away before a byte of it was handed to the transport. One object and few listeners for all of
 * that: thousands of polls may be held open, and what each has made is what the garbage collector has to walk over.
 */
export class HttpCall implements CallOrigin, CallerSignal, Delivery {
  readonly request: AnyRequest;
  readonly response: AnyResponse;
  readonly #arrivedAt = performance.now();
  #fate: "pending" | "handed-over" | "lost" = "pending";
  #undelivered: (() => void) | undefined;
  #onAbort: readonly (() => void)[] = [];
  #body: Body | undefined;

  constructor(request: AnyRequest, response: AnyResponse, ended: CallEnded) {
    this.request = request;
    this.response = response;
    // A write to a connection that has gone; there is nobody left to tell.
    response.on("error", ignore);
    response.once("close", () => {
      ended(request, response);
      this.#body?.done(undefined);
      this.lost();
    });
  }

  /** Reads a body of so many bytes whole. Undefined: the connection broke before its end. */
  readBody(length: number): Promise<Uint8Array | undefined> {
    if (length === 0) return Promise.resolve(noBytes);
    return new Promise((done) => {
      this.#body = { missing: length, chunks: [], done };
      this.request.on("data", (chunk: Uint8Array) => this.#bodyCame(chunk));
      // What went wrong is told by 'close', which follows.
      this.request.on("error", ignore);
    });
  }

  /** Aborts as the caller goes away before it has been answered. */
  get signal(): CallerSignal {
    return this;
  }

  get delivery(): Delivery {
    return this;
  }

  get aborted(): boolean {
    return this.#fate === "lost" || (this.#fate === "pending" && this.isGone);
  }

  /** Whether the connection is closed. Between a look at this and the first byte written in the same turn there are no events. */
  get isGone(): boolean {
    return isGone(this.request, this.response);
  }

  timeoutMs = (): number | undefined => {
    const asked = this.request.headers["connect-timeout-ms"];
    return asked === undefined ? undefined : Number(asked) - (performance.now() - this.#arrivedAt);
  };

  addEventListener(_type: "abort", listener: () => void): void {
    this.#onAbort = [...this.#onAbort, listener];
  }

  removeEventListener(_type: "abort", listener: () => void): void {
    this.#onAbort = this.#onAbort.filter((each) => each !== listener);
  }

  onUndelivered(callback: () => void): void {
    this.#undelivered = callback;
    // The connection may have gone while the answer was being made.
    if (this.#fate === "lost") queueMicrotask(() => this.#tellUndelivered());
  }

  /** The answer is about to be written to a connection that is open. */
  handedOver(): void {
    if (this.#fate === "pending") this.#fate = "handed-over";
  }

  /** The connection has closed. */
  lost(): void {
    if (this.#fate !== "pending") return;
    this.#fate = "lost";
    this.#tellUndelivered();
    const listeners = this.#onAbort;
    this.#onAbort = [];
    for (const listener of listeners) listener();
  }

  #bodyCame(chunk: Uint8Array): void {
    const body = this.#body;
    if (body === undefined) return;
    body.missing -= chunk.length;
    body.chunks.push(chunk);
    if (body.missing > 0) return;
    // The end is told a while later, and a poll would hold on to its request.
    this.#body = undefined;
    body.done(body.chunks.length === 1 ? chunk : Buffer.concat(body.chunks));
  }

  #tellUndelivered(): void {
    const callback = this.#undelivered;
    this.#undelivered = undefined;
    callback?.();
  }
}

/** A body that is being read. */
interface Body {
  missing: number;
  readonly chunks: Uint8Array[];
  readonly done: (body: Uint8Array | undefined) => void;
}

const noBytes = new Uint8Array();

function ignore(): void {}
