import type { Clock } from "./clock.ts";
import type { TqError } from "./errors.ts";
import type { Logger } from "./logger.ts";

/** What a connection log needs. */
export interface ConnectionLogOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** For the log. */
  readonly address: string | undefined;
}

/**
 * Says when calls begin to fail because the server cannot be reached, and when all of those go through again: a line each,
 * however many calls there are and however long it takes.
 */
export class ConnectionLog {
  readonly #options: ConnectionLogOptions;
  readonly #failing = new Set<string>();
  #awaySinceMs = 0;

  constructor(options: ConnectionLogOptions) {
    this.#options = options;
  }

  /** A call was answered. */
  answered(call: string): void {
    if (this.#failing.delete(call) && this.#failing.size === 0) this.#back();
  }

  /** A call failed with `error`, and is made again. */
  retried(call: string, error: TqError): void {
    if (error.code !== "unavailable" && error.code !== "deadline_exceeded") return;
    this.#failing.add(call);
    if (this.#failing.size === 1 && this.#awaySinceMs === 0) this.#away(call, error);
  }

  #away(call: string, error: TqError): void {
    const { clock, logger, address } = this.#options;
    this.#awaySinceMs = clock.now();
    logger.warn({ server: address, call, error: error.message }, "Calls to the tq server fail; they are tried again");
  }

  #back(): void {
    const { clock, logger, address } = this.#options;
    const seconds = Number(((clock.now() - this.#awaySinceMs) / 1000).toFixed(1));
    this.#awaySinceMs = 0;
    logger.warn({ server: address, seconds }, "Calls to the tq server go through again");
  }
}
