import type { Delivery } from "../matching/matching.ts";

/**
 * The delivery of one HTTP response: lost if the connection went away before a byte of it was handed to the transport.
 * Whoever carries the response says when that is.
 */
export class HttpDelivery implements Delivery {
  #state: "pending" | "handed-over" | "lost" = "pending";
  #callback: (() => void) | undefined;

  onUndelivered(callback: () => void): void {
    this.#callback = callback;
    // The connection may have gone while the answer was being made.
    if (this.#state === "lost") queueMicrotask(() => this.#fire());
  }

  /** The answer is about to be written to a connection that is open. */
  handedOver(): void {
    if (this.#state === "pending") this.#state = "handed-over";
  }

  /** The connection has closed. */
  connectionClosed(): void {
    if (this.#state !== "pending") return;
    this.#state = "lost";
    this.#fire();
  }

  #fire(): void {
    const callback = this.#callback;
    this.#callback = undefined;
    callback?.();
  }
}
