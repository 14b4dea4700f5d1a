import type { Clock } from "@tq/client";
import { FailingCalls } from "@tq/client/internal";
import type { Logger } from "./logger.ts";
import type { LinkEvent } from "./server-link.ts";

/** What the log needs. */
export interface OutageLogOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** For the log. */
  readonly address: string | undefined;
  /** How many tasks the worker holds; for the log. */
  readonly heldTasks: () => number;
  /** A call that failed has gone through: what backs off may try at once. */
  readonly onBack: () => void;
}

/** Says in the log once when a worker's calls begin to fail, and once when all of them go through again. */
export class OutageLog {
  readonly #options: OutageLogOptions;
  readonly #failing: FailingCalls;

  constructor(options: OutageLogOptions) {
    this.#options = options;
    this.#failing = new FailingCalls(options.clock);
  }

  /** True while some call fails. */
  get isAway(): boolean {
    return this.#failing.isAway;
  }

  heard(event: LinkEvent): void {
    const { logger, address, heldTasks, onBack } = this.#options;
    const { call } = event;
    switch (event.kind) {
      case "failed": {
        if (!this.#failing.failed(call)) return;
        logger.warn(
          { server: address, call, error: event.message, heldTasks: heldTasks() },
          "Calls to the tq server fail; the worker keeps its tasks and goes on trying",
        );
        return;
      }
      case "answered":
      case "dropped": {
        const seconds = this.#failing.over(call);
        if (event.kind === "answered") onBack();
        if (seconds !== undefined) logger.warn({ server: address, seconds }, "Calls to the tq server go through again");
      }
    }
  }
}
