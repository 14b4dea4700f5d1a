// Keeps leases alive. Every few seconds one call renews the leases of everything that the worker holds, brings heartbeats,
// confirms polls and tells how busy the worker is. It is answered at once; the notice listener is what waits for news. It
// goes out without any lease too: it is how the server knows that the worker lives.

import { create } from "@bufbuild/protobuf";
import { durationMs } from "@bufbuild/protobuf/wkt";
import { type Client, payloadBytes, type Timer, toTqError, TqError } from "@tq/client";
import { type Heartbeat, HeartbeatSchema, type Payload, type RenewLeasesResponse } from "@tq/proto";
import type { Confirmations } from "./confirmations.ts";
import { HeartbeatDetails, maxDetailsBytes } from "./heartbeat-details.ts";
import type { HeldTask } from "./held-task.ts";
import type { HeldTasks } from "./held-tasks.ts";
import type { Logger } from "./logger.ts";
import type { Registrations } from "./registrations.ts";
import type { ServerLink } from "./server-link.ts";

/** How a worker does. */
export interface SlotStatus {
  readonly activitySlots: number;
  readonly activitySlotsUsed: number;
  readonly workflowSlots: number;
  readonly workflowSlotsUsed: number;
}

/** What keeper and listener need. */
export interface LeaseCallOptions {
  readonly client: Client;
  readonly registrations: Registrations;
  readonly held: HeldTasks;
  readonly link: ServerLink;
  readonly status: () => SlotStatus;
  /** An operator wants this worker to take nothing new, or no longer. */
  readonly onDrainRequested: (isRequested: boolean) => void;
}

/** What the keeper needs. */
export interface LeaseKeeperOptions extends LeaseCallOptions {
  readonly leaseMs: number;
  readonly confirmations: Confirmations;
  readonly logger: Logger;
}

/** The server calls a worker live for 15 s after a call: three of these. */
const longestIntervalMs = 5_000;
/** Well within the five seconds after which the server takes back what is not confirmed. Usually some other call is sooner. */
const confirmAfterMs = 1_000;
function fitting(details: Payload): Payload {
  if (payloadBytes(details) <= maxDetailsBytes) return details;
  const message = "heartbeat details are over 512 KiB; keep them elsewhere and send a reference to them";
  throw new TqError({ code: "invalid_argument", reason: "PAYLOAD_TOO_LARGE", message });
}

/** How long heartbeats gather, so that all of a worker's go in one call; less where the heartbeat timeout is short. */
const heartbeatAfterMs = 1_000;
const heartbeatShare = 0.25;
/** The deadline of a call, so that one that hangs leaves time for others before the lease is over. */
const shortestTimeoutMs = 1_000;

/** See the top of the file. */
export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions;
  /** A third of the lease at most: two calls may fail before a lease is in danger. */
  readonly #intervalMs: number;
  readonly #ending = new AbortController();
  readonly #details: HeartbeatDetails | undefined;
  /** The latest heartbeat of each task that has one to send. */
  readonly #heartbeats = new Map<HeldTask, Heartbeat>();
  #heartbeatsDueAtMs = Number.POSITIVE_INFINITY;
  #renewedAtMs = 0;
  #timer: Timer | undefined;
  #isCalling = false;

  constructor(options: LeaseKeeperOptions) {
    this.#options = options;
    const { messageCodec } = options.client.config;
    this.#details = messageCodec && new HeartbeatDetails(messageCodec, options.logger);
    this.#intervalMs = Math.floor(Math.min(longestIntervalMs, options.leaseMs / 3));
  }

  start(): void {
    const { client, confirmations } = this.#options;
    this.#renewedAtMs = client.config.clock.now();
    confirmations.onFirst(() => this.#plan());
    this.#plan();
  }

  /** Renews nothing from now on. */
  stop(): void {
    this.#ending.abort();
    if (this.#timer !== undefined) this.#options.client.config.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /**
   * A handler says that it is alive. After its end that means nothing.
   *
   * @throws TqError if the details cannot be serialised, or are too large: the server would refuse the whole renewal
   */
  heartbeat(held: HeldTask, details: unknown): void {
    if (held.state !== "running" || !held.isRunning) return;
    const { payloadConverter } = this.#options.client.config;
    const payload = details === undefined ? undefined : fitting(payloadConverter.toPayload(details));
    if (payload === undefined || this.#details === undefined) this.#put(held, payload);
    else {
      // That the handler lives goes out at once, what it says as soon as it is encoded.
      this.#put(held, this.#heartbeats.get(held)?.details);
      this.#details.encode(held, payload, (encoded) => {
        if (held.state === "running" && held.isRunning) this.#put(held, encoded);
      });
    }
  }

  /** Sees to it that a heartbeat goes out soon. */
  #put(held: HeldTask, details: Payload | undefined): void {
    const { clock } = this.#options.client.config;
    const { token, heartbeatTimeout } = held.task;
    const heartbeat = create(HeartbeatSchema, { token });
    if (details !== undefined) heartbeat.details = details;
    this.#heartbeats.set(held, heartbeat);
    const timeoutMs = heartbeatTimeout === undefined ? Number.POSITIVE_INFINITY : durationMs(heartbeatTimeout);
    const dueAtMs = clock.now() + Math.min(heartbeatAfterMs, timeoutMs * heartbeatShare);
    if (dueAtMs >= this.#heartbeatsDueAtMs) return;
    this.#heartbeatsDueAtMs = dueAtMs;
    this.#plan();
  }

  get #dueAtMs(): number {
    const confirmAtMs = (this.#options.confirmations.oldestMs ?? Number.POSITIVE_INFINITY) + confirmAfterMs;
    return Math.min(this.#renewedAtMs + this.#intervalMs, this.#heartbeatsDueAtMs, confirmAtMs);
  }

  /** Sets the timer for the next call. What that is for may have been done by another call when it fires. */
  #plan(): void {
    if (this.#isCalling || this.#ending.signal.aborted) return;
    const { clock } = this.#options.client.config;
    if (this.#timer !== undefined) clock.clearTimeout(this.#timer);
    const fire = () => {
      this.#timer = undefined;
      if (clock.now() < this.#dueAtMs) this.#plan();
      else void this.#renew();
    };
    this.#timer = clock.setTimeout(fire, Math.max(0, this.#dueAtMs - clock.now()));
  }

  /** Calls until it is answered, each time with what is held by then. Never rejects. */
  async #renew(): Promise<void> {
    const { link } = this.#options;
    this.#isCalling = true;
    for (let failures = 1; !this.#ending.signal.aborted; failures++) {
      try {
        await this.#call();
        link.succeeded("RenewLeases");
        break;
      } catch (unknown) {
        if (this.#ending.signal.aborted) break;
        const error = toTqError(unknown);
        link.failed("RenewLeases", error);
        await link.waitToRetry(failures, error, this.#ending.signal);
      }
    }
    this.#isCalling = false;
    this.#plan();
  }

  async #call(): Promise<void> {
    const { client, registrations, confirmations, held, status } = this.#options;
    const { clock, namespace, callTimeoutMs } = client.config;
    const { worker, answered } = registrations.reference();
    const receivedPollIds = confirmations.ids();
    const heartbeats = new Map(this.#heartbeats);
    this.#heartbeats.clear();
    this.#heartbeatsDueAtMs = Number.POSITIVE_INFINITY;
    this.#renewedAtMs = clock.now();
    const request = {
      namespace,
      worker,
      tokens: held.tokens(),
      // Of what has ended meanwhile, the answer tells more.
      heartbeats: [...heartbeats].flatMap(([{ isRunning }, heartbeat]) => (isRunning ? heartbeat : [])),
      receivedPollIds,
      status: status(),
    };
    const timeoutMs = Math.min(callTimeoutMs, Math.max(this.#intervalMs, shortestTimeoutMs));
    let response: RenewLeasesResponse;
    try {
      response = await client.services.workers.renewLeases(request, { signal: this.#ending.signal, timeoutMs });
    } catch (error) {
      // They go with the next call, unless newer ones have come.
      for (const [task, heartbeat] of heartbeats)
        if (!this.#heartbeats.has(task)) this.#heartbeats.set(task, heartbeat);
      throw error;
    }
    answered(response.registrationsWanted);
    confirmations.confirmed(receivedPollIds);
    held.heard(response);
    this.#options.onDrainRequested(response.drainRequested);
  }
}
