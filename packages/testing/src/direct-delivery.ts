import type { Delivery } from "@tq/matching";

/** The delivery of an answer in memory: lost if its caller went away before it was made. */
export class DirectDelivery implements Delivery {
  #state: "pending" | "handed-over" | "lost" = "pending";
  #callback: (() => void) | undefined;

  onUndelivered(callback: () => void): void {
    this.#callback = callback;
    // The caller may have gone while the answer was being made.
    if (this.#state === "lost") queueMicrotask(() => this.#fire());
  }

  /** The caller has the answer. */
  handedOver(): void {
    if (this.#state === "pending") this.#state = "handed-over";
  }

  /** The caller has gone. False if it has the answer already. */
  lost(): boolean {
    if (this.#state === "handed-over") return false;
    this.#state = "lost";
    this.#fire();
    return true;
  }

  #fire(): void {
    const callback = this.#callback;
    this.#callback = undefined;
    callback?.();
  }
}
