import { type MessageCodec, payloadBytes } from "@tq/client/internal";
import type { Payload } from "@tq/proto";
import type { HeldTask } from "./held-task.ts";
import type { Logger } from "./logger.ts";

/** What the server takes of a heartbeat's details. */
export const maxDetailsBytes = 512 * 1024;

/**
 * Passes the details of heartbeats through the codecs. While a handler runs, of each task only the latest, and never two at
 * once, however often it calls; at its end what it said last, at once, whatever is still being encoded. A codec that is slow
 * costs details, never the heartbeat, which goes out without; so does one that fails.
 */
export class HeartbeatDetails {
  readonly #codec: MessageCodec;
  readonly #logger: Logger;
  /** Tasks whose details are being encoded, with those that came meanwhile. */
  readonly #busy = new Map<HeldTask, Payload | undefined>();

  constructor(codec: MessageCodec, logger: Logger) {
    this.#codec = codec;
    this.#logger = logger;
  }

  /** Encodes, and then tells `encoded`, unless newer details have come. */
  encode(held: HeldTask, details: Payload, encoded: (details: Payload) => void): void {
    if (this.#busy.has(held)) this.#busy.set(held, details);
    else void this.#encode(held, details, encoded);
  }

  /** These details encoded, whatever else is being encoded; undefined, and logged, if that cannot be. Never rejects. */
  async encoded(held: HeldTask, details: Payload): Promise<Payload | undefined> {
    try {
      const coded = await this.#codec.encodePayload(details, "a heartbeat");
      if (payloadBytes(coded) > maxDetailsBytes) throw new Error(`encoded they are over ${maxDetailsBytes} bytes`);
      return coded;
    } catch (error) {
      const { id, type } = held.task;
      this.#logger.warn({ taskId: id, type, error }, "The details of a heartbeat cannot be encoded, and are left out");
      return undefined;
    }
  }

  /** Never rejects. */
  async #encode(held: HeldTask, first: Payload, encoded: (details: Payload) => void): Promise<void> {
    for (let details: Payload | undefined = first; details !== undefined; details = this.#busy.get(held)) {
      this.#busy.set(held, undefined);
      const coded = await this.encoded(held, details);
      if (coded !== undefined && this.#busy.get(held) === undefined) encoded(coded);
    }
    this.#busy.delete(held);
  }
}
