import type { CallOrigin } from "../rpc/services-context.ts";
import { CallFate } from "./call-fate.ts";
import { isGone, type AnyRequest, type AnyResponse } from "./node-http.ts";

/** Told as a call has ended: its answer has gone out, or its connection has. */
export type CallEnded = (request: AnyRequest, response: AnyResponse) => void;

/** A call over HTTP: where it came from, its body, and what becomes of its answer. */
export class HttpCall extends CallFate implements CallOrigin {
  readonly request: AnyRequest;
  readonly response: AnyResponse;
  readonly #arrivedAt = performance.now();
  #body: Body | undefined;

  constructor(request: AnyRequest, response: AnyResponse, ended: CallEnded) {
    super();
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

  get isGone(): boolean {
    return isGone(this.request, this.response);
  }

  timeoutMs = (): number | undefined => {
    const asked = this.request.headers["connect-timeout-ms"];
    return asked === undefined ? undefined : Number(asked) - (performance.now() - this.#arrivedAt);
  };

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
}

/** A body that is being read. */
interface Body {
  missing: number;
  readonly chunks: Uint8Array[];
  readonly done: (body: Uint8Array | undefined) => void;
}

const noBytes = new Uint8Array();

function ignore(): void {}
