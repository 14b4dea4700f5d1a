import { DemoError } from "./cast.ts";

/** Longer than anything that goes right takes: a start of the server, and two leases. */
const stuckAfterMs = 40_000;

/**
 * Waits for conditions, which are looked at whenever something has been noted. Waiting ends with an error if something has
 * failed, the signal aborts, or nothing is noted for long.
 */
export class Watch {
  readonly #failed = Promise.withResolvers<never>();
  readonly #aborted: AbortSignal;
  readonly #onAbort = () => this.fail(this.#aborted.reason);
  readonly #timer: NodeJS.Timeout;
  #noted = Promise.withResolvers<void>();

  constructor(signal: AbortSignal) {
    this.#aborted = signal;
    this.#failed.promise.catch(() => {});
    if (signal.aborted) this.#onAbort();
    signal.addEventListener("abort", this.#onAbort, { once: true });
    const stuck = `Nothing has moved for ${stuckAfterMs / 1_000} s.`;
    this.#timer = setTimeout(() => this.fail(new DemoError(stuck)), stuckAfterMs);
  }

  /** Something has moved. */
  note(): void {
    this.#timer.refresh();
    this.#noted.resolve();
    this.#noted = Promise.withResolvers();
  }

  /** Whoever waits, now or later, gets this error. */
  fail(error: unknown): void {
    this.#failed.reject(error);
  }

  /** Resolves once the condition holds. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await Promise.race([this.#noted.promise, this.#failed.promise]);
  }

  /** Ends the watch; nobody should be waiting. */
  close(): void {
    clearTimeout(this.#timer);
    this.#aborted.removeEventListener("abort", this.#onAbort);
  }
}
