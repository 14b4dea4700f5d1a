import type { Socket } from "node:net";
import type { CallOrigin } from "../rpc/services-context.ts";
import { CallFate } from "./call-fate.ts";

/** A call that came in a frame. */
export class FramedCall extends CallFate implements CallOrigin {
  readonly #socket: Socket;
  readonly #timeoutMs: number;
  readonly requestBytes: number;
  readonly #arrivedAt = performance.now();
  #isCanceled = false;

  /**
   * @param timeoutMs until its caller gives up; 0: it does not
   * @param requestBytes how many its request has
   */
  constructor(socket: Socket, timeoutMs: number, requestBytes: number) {
    super();
    this.requestBytes = requestBytes;
    this.#socket = socket;
    this.#timeoutMs = timeoutMs;
  }

  get isGone(): boolean {
    return this.#isCanceled || !this.#socket.writable;
  }

  /** Its caller has given it up, and reads no reply. */
  cancel(): void {
    this.#isCanceled = true;
    this.lost();
  }

  timeoutMs = (): number | undefined =>
    this.#timeoutMs === 0 ? undefined : this.#timeoutMs - (performance.now() - this.#arrivedAt);
}
