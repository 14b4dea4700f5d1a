import { create } from "@bufbuild/protobuf";
import type { Client, TqError } from "@tq/client";
import { isRetryable, payloadBytes } from "@tq/client/internal";
import { type Heartbeat, HeartbeatSchema, type Payload } from "@tq/proto";
import { callApart } from "./call-apart.ts";
import type { Logger } from "./logger.ts";
import { isLasting, isTooLarge, type ServerLink } from "./server-link.ts";

/** As many as answers go in a call, since these wait for it. The contract's bound is 20,000. */
const maxHeartbeatsPerCall = 1_000;
/** Far below what the server takes in; the details of one are at most 512 KiB. */
const maxBytesPerCall = 4 * 1024 * 1024;
/**
 * So often a call may fail for another reason than that the server is away: for one and a half seconds, if it fails at
 * once. A mark is worth less than the answers and the slots that wait for it.
 */
const mostFailures = 5;

interface Waiting {
  readonly heartbeat: Heartbeat;
  readonly sent: () => void;
}

/** What these heartbeats need. */
export interface LastHeartbeatsOptions {
  readonly client: Client;
  readonly link: ServerLink;
  readonly logger: Logger;
}

/**
 * Sends what handlers said last before the answers that end their attempts. Heartbeats gather for a while, and the renewal
 * knows no task that was answered meanwhile, so a mark left just before a failure would never reach the next attempt.
 *
 * One call at a time, with all that has gathered since the last one, until the server has taken it: while that is away, the
 * answers would not get there either. What fails otherwise is given up after a few tries, and the answers go out without.
 */
export class LastHeartbeats {
  readonly #options: LastHeartbeatsOptions;
  readonly #ending = new AbortController();
  /** Lets those answers go that wait for something. */
  readonly #open = new Set<() => void>();
  #waiting: Waiting[] = [];
  #isSending = false;

  constructor(options: LastHeartbeatsOptions) {
    this.#options = options;
  }

  /**
   * Resolves once the server knows, or does not want to; or once they are stopped. Never rejects.
   *
   * @param details as they travel, which may take a while; undefined if there are none. Never rejects
   */
  async send(token: Uint8Array, details: Promise<Payload | undefined>): Promise<void> {
    if (this.#ending.signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const sent = () => {
      this.#open.delete(sent);
      resolve();
    };
    this.#open.add(sent);
    void details.then((encoded) => {
      if (encoded === undefined || this.#ending.signal.aborted) {
        sent();
        return;
      }
      this.#waiting.push({ heartbeat: create(HeartbeatSchema, { token, details: encoded }), sent });
      // With those of the handlers that end in the same turn.
      queueMicrotask(() => void this.#run());
    });
    await promise;
  }

  /** Breaks off what is under way, and holds no answer up from now on. */
  stop(): void {
    this.#ending.abort();
    this.#waiting = [];
    for (const sent of this.#open) sent();
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    if (this.#isSending) return;
    this.#isSending = true;
    while (this.#waiting.length > 0) await this.#deliver(this.#take());
    this.#isSending = false;
  }

  #take(): readonly Waiting[] {
    let count = 0;
    let bytes = 0;
    for (const { heartbeat } of this.#waiting) {
      bytes += heartbeat.details === undefined ? 0 : payloadBytes(heartbeat.details);
      if (count === maxHeartbeatsPerCall || (count > 0 && bytes > maxBytesPerCall)) break;
      count++;
    }
    return this.#waiting.splice(0, count);
  }

  /** Sends these, and lets each answer go as soon as its heartbeat is sent or lost. Never rejects. */
  async #deliver(taken: readonly Waiting[]): Promise<void> {
    const { logger } = this.#options;
    const { signal } = this.#ending;
    let failures = 0;
    const lost: TqError[] = [];
    let hung: TqError | undefined;
    const givesUpOn = (error: TqError) =>
      isLasting(error) || isTooLarge(error) || (!isAway(error) && ++failures >= mostFailures);
    await callApart({
      items: taken,
      call: async (items) => {
        // Each by itself would hang as long again.
        if (hung !== undefined) throw hung;
        const heartbeats = items.map(({ heartbeat }) => heartbeat);
        await this.#call(heartbeats, givesUpOn).catch((error: TqError) => {
          if (error.code === "deadline_exceeded") hung = error;
          throw error;
        });
        for (const { sent } of items) sent();
      },
      refused: ({ sent }, error) => {
        lost.push(error);
        sent();
      },
      signal,
    });
    const [error] = lost;
    if (error === undefined) return;
    logger.warn(
      { lost: lost.length, error: error.message },
      "What handlers said last cannot be sent: their next attempts do without",
    );
  }

  async #call(heartbeats: Heartbeat[], givesUpOn: (error: TqError) => boolean): Promise<void> {
    const { client, link } = this.#options;
    const { config, services } = client;
    const { signal } = this.#ending;
    try {
      await link.insist("HeartbeatTasks", {
        attempt: () => services.workers.heartbeatTasks({ namespace: config.namespace, heartbeats }, { signal }),
        givesUpOn,
        signal,
      });
    } finally {
      // Of a call that is given up nobody waits to hear that it goes through.
      link.dropped("HeartbeatTasks");
    }
  }
}

/** Whether the server is away, or has too much to do. A call that hangs while others go through says nothing of these. */
function isAway(error: TqError): boolean {
  return isRetryable(error) && error.code !== "deadline_exceeded";
}
