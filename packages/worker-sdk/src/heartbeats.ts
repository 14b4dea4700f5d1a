import { toBinary } from "@bufbuild/protobuf";
import { durationMs } from "@bufbuild/protobuf/wkt";
import { type Client, type Timer, TqError } from "@tq/client";
import { encodeField, payloadBytes } from "@tq/client/internal";
import { type Payload, PayloadSchema } from "@tq/proto";
import { HeartbeatDetails, maxDetailsBytes } from "./heartbeat-details.ts";
import type { HeldTask } from "./held-task.ts";
import type { Logger } from "./logger.ts";
import type { RenewalInput } from "./renewal-messages.ts";

/** How long heartbeats gather, so that all of a worker's go in one call; less where the heartbeat timeout is short. */
const heartbeatAfterMs = 1_000;
const heartbeatShare = 0.25;
/** A handler's heartbeats go to the renewal so often at most, however often it calls. */
const restMs = 250;

function fitting(details: Payload): Payload {
  if (payloadBytes(details) <= maxDetailsBytes) return details;
  const message = "heartbeat details are over 512 KiB; keep them elsewhere and send a reference to them";
  throw new TqError({ code: "invalid_argument", reason: "PAYLOAD_TOO_LARGE", message });
}

/**
 * Passes heartbeats on to the renewal: the first at once, so that it goes out even if the handler then blocks the event
 * loop, and of those that follow closely the latest.
 */
export class Heartbeats {
  readonly #client: Client;
  readonly #tell: (input: RenewalInput) => void;
  readonly #details: HeartbeatDetails | undefined;
  readonly #toldAtMs = new WeakMap<HeldTask, number>();
  readonly #waiting = new Map<HeldTask, Payload | undefined>();
  /** The latest details of each, before the codecs, for the end of its attempt: it may come before they are sent. */
  readonly #said = new WeakMap<HeldTask, Payload>();
  #timer: Timer | undefined;

  constructor(client: Client, logger: Logger, tell: (input: RenewalInput) => void) {
    const { messageCodec } = client.config;
    this.#client = client;
    this.#details = messageCodec && new HeartbeatDetails(messageCodec, logger);
    this.#tell = tell;
  }

  /**
   * A handler says that it is alive. After its end that means nothing.
   *
   * @throws TqError if the details cannot be serialised, or are too large: the server would refuse the whole renewal
   */
  heartbeat(held: HeldTask, details: unknown): void {
    if (held.state !== "running" || !held.isRunning) return;
    const { payloadConverter } = this.#client.config;
    const payload = details === undefined ? undefined : fitting(encodeField(details, "details", payloadConverter));
    if (payload !== undefined) this.#said.set(held, payload);
    if (payload === undefined || this.#details === undefined) {
      this.#pass(held, payload);
    } else {
      // That the handler lives is told at once, what it says as soon as it is encoded.
      this.#pass(held, undefined);
      this.#details.encode(held, payload, (encoded) => {
        if (held.state === "running" && held.isRunning && this.#said.has(held)) this.#pass(held, encoded);
      });
    }
  }

  /** Whether a handler gave details. */
  hasDetails(held: HeldTask): boolean {
    return this.#said.has(held);
  }

  /**
   * The latest details that a handler gave, as they travel; once, when its answer is on its way: the renewal sends none of an
   * answered task's, and what waits here would be older. Never rejects.
   */
  async lastDetails(held: HeldTask): Promise<Payload | undefined> {
    const said = this.#said.get(held);
    this.#said.delete(held);
    this.#waiting.delete(held);
    return said === undefined || this.#details === undefined ? said : this.#details.encoded(held, said);
  }

  stop(): void {
    if (this.#timer !== undefined) this.#client.config.clock.clearTimeout(this.#timer);
  }

  #pass(held: HeldTask, payload: Payload | undefined): void {
    const { clock } = this.#client.config;
    const toldAtMs = this.#toldAtMs.get(held) ?? Number.NEGATIVE_INFINITY;
    if (clock.now() - toldAtMs >= restMs) {
      this.#send(held, payload);
    } else {
      this.#waiting.set(held, payload ?? this.#waiting.get(held));
      this.#timer ??= clock.setTimeout(() => this.#sendWaiting(), restMs);
    }
  }

  #sendWaiting(): void {
    this.#timer = undefined;
    for (const [held, details] of this.#waiting) if (held.isRunning) this.#send(held, details);
    this.#waiting.clear();
  }

  #send(held: HeldTask, details: Payload | undefined): void {
    this.#waiting.delete(held);
    this.#toldAtMs.set(held, this.#client.config.clock.now());
    const { heartbeatTimeout } = held.task;
    const timeoutMs = heartbeatTimeout === undefined ? Number.POSITIVE_INFINITY : durationMs(heartbeatTimeout);
    this.#tell({
      kind: "heartbeat",
      key: held.key,
      details: details === undefined ? undefined : toBinary(PayloadSchema, details),
      withinMs: Math.min(heartbeatAfterMs, timeoutMs * heartbeatShare),
    });
  }
}
