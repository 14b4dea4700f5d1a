import type { CallerSignal, Delivery } from "../matching/matching.ts";

/**
 * Whether the caller of a call is still there, and what becomes of the answer, which is lost if the connection goes away
 * before a byte of it was handed to the transport. One object for all of that: thousands of polls may be held open, and what
 * each has made is what the garbage collector has to walk over.
 */
export abstract class CallFate implements CallerSignal, Delivery {
  #fate: "pending" | "handed-over" | "lost" = "pending";
  #undelivered: (() => void) | undefined;
  #onAbort: readonly (() => void)[] = [];

  /** Whether the connection is closed. Between a look at this and the first byte written in the same turn there are no events. */
  abstract get isGone(): boolean;

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

  #tellUndelivered(): void {
    const callback = this.#undelivered;
    this.#undelivered = undefined;
    callback?.();
  }
}
