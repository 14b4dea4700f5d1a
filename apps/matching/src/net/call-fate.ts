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

  /** Whether nobody reads its answer any more: its connection is closed or closing, or its caller has given it up. */
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

  /**
   * Whether the answer is to be written now. Until its first byte is written, in the same turn, there are no events, so that
   * what is open now is open then.
   */
  handOver(): boolean {
    if (this.isGone) this.lost();
    else if (this.#fate === "pending") this.#fate = "handed-over";
    return this.#fate === "handed-over";
  }

  /** Nobody will read its answer. */
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
