/** How many bytes of requests may be held until what came with them is settled. */
const mostBytes = 8 * 1_024 * 1_024;

/**
 * How much is held of what brought tasks here, which may be far larger than they are: one new task of a call of thousands, or
 * one that was read from its connection with other calls.
 */
export class HeldRequests {
  #bytes = 0;
  #last: ArrayBufferLike | undefined;

  /** Whether this may be held as well; counts it if so. Those of one request come one after the other, and count once. */
  holds(request: ArrayBufferLike): boolean {
    if (request === this.#last) return true;
    if (this.#bytes + request.byteLength > mostBytes) return false;
    this.#bytes += request.byteLength;
    this.#last = request;
    return true;
  }

  /** Nothing is held any more. */
  letGo(): void {
    this.#bytes = 0;
    this.#last = undefined;
  }
}
