import { create } from "@bufbuild/protobuf";
import type { Client } from "@tq/client";
import { payloadBytes } from "@tq/client/internal";
import { type Heartbeat, HeartbeatSchema, type Payload } from "@tq/proto";
import { isLasting, isTooLarge, type ServerLink } from "./server-link.ts";

/** The contract's bound on a call. */
const maxHeartbeatsPerCall = 1_000;
/** Far below what the server takes in; the details of one are at most 512 KiB. */
const maxBytesPerCall = 4 * 1024 * 1024;

interface Waiting {
  readonly heartbeat: Heartbeat;
  readonly sent: () => void;
}

/**
 * Sends what handlers said last before the answers that end their attempts. Heartbeats gather for a while, and the renewal
 * knows no task that was answered meanwhile, so a mark left just before a failure would never reach the next attempt.
 *
 * One call at a time, with all that has gathered since the last one, until the server has taken it: without it the answer
 * would not get there either.
 */
export class LastHeartbeats {
  readonly #client: Client;
  readonly #link: ServerLink;
  readonly #ending = new AbortController();
  /** Lets those answers go that wait for something. */
  readonly #open = new Set<() => void>();
  #waiting: Waiting[] = [];
  #isSending = false;

  constructor(client: Client, link: ServerLink) {
    this.#client = client;
    this.#link = link;
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
      if (encoded === undefined) {
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
    for (const sent of this.#open) sent();
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    if (this.#isSending) return;
    this.#isSending = true;
    while (this.#waiting.length > 0) {
      const taken = this.#take();
      await this.#call(taken.map(({ heartbeat }) => heartbeat));
      for (const { sent } of taken) sent();
    }
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

  async #call(heartbeats: Heartbeat[]): Promise<void> {
    const { config, services } = this.#client;
    const { signal } = this.#ending;
    if (signal.aborted) return;
    try {
      await this.#link.insist("HeartbeatTasks", {
        attempt: () => services.workers.heartbeatTasks({ namespace: config.namespace, heartbeats }, { signal }),
        givesUpOn: (error) => isLasting(error) || isTooLarge(error),
        signal,
      });
    } catch {
      // They are lost, and the answers are not: those go out all the same.
      this.#link.dropped("HeartbeatTasks");
    }
  }
}
