import type { Clock } from "./clock.ts";
import type { TqError } from "./errors.ts";
import { FailingCalls } from "./failing-calls.ts";
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
  readonly #failing: FailingCalls;

  constructor(options: ConnectionLogOptions) {
    this.#options = options;
    this.#failing = new FailingCalls(options.clock);
  }

  /** A call was answered. */
  answered(call: string): void {
    const { logger, address } = this.#options;
    const seconds = this.#failing.over(call);
    if (seconds !== undefined) logger.warn({ server: address, seconds }, "Calls to the tq server go through again");
  }

  /** A call failed with `error`, and is made again. */
  retried(call: string, error: TqError): void {
    if (error.code !== "unavailable" && error.code !== "deadline_exceeded") return;
    if (!this.#failing.failed(call)) return;
    const { logger, address } = this.#options;
    logger.warn({ server: address, call, error: error.message }, "Calls to the tq server fail; they are tried again");
  }
}
