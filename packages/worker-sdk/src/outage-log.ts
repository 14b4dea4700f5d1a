import type { Clock } from "@tq/client";
import type { Logger } from "./logger.ts";
import type { CallName, LinkEvent } from "./server-link.ts";

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
  readonly #failing = new Set<CallName>();
  #awaySinceMs = 0;

  constructor(options: OutageLogOptions) {
    this.#options = options;
  }

  /** True while some call fails. */
  get isAway(): boolean {
    return this.#failing.size > 0;
  }

  heard(event: LinkEvent): void {
    const { clock, logger, address, heldTasks, onBack } = this.#options;
    const { call } = event;
    switch (event.kind) {
      case "failed": {
        const isFirst = this.#failing.size === 0;
        this.#failing.add(call);
        if (!isFirst) return;
        this.#awaySinceMs = clock.now();
        logger.warn(
          { server: address, call, error: event.message, heldTasks: heldTasks() },
          "Calls to the tq server fail; the worker keeps its tasks and goes on trying",
        );
        return;
      }
      case "answered":
      case "dropped": {
        const wasAway = this.#failing.delete(call);
        if (event.kind === "answered") onBack();
        if (!wasAway || this.isAway) return;
        const seconds = Number(((clock.now() - this.#awaySinceMs) / 1000).toFixed(1));
        logger.warn({ server: address, seconds }, "Calls to the tq server go through again");
      }
    }
  }
}
