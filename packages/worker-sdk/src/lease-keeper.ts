// Keeps leases alive. Every few seconds one call renews the leases of everything that the worker holds, brings heartbeats,
// confirms polls and tells how busy the worker is. It is answered at once; the notice listener is what waits for news. It
// goes out without any lease too: it is how the server knows that the worker lives.
//
// While the worker's event loop is blocked the leases are kept all the same, until the server says that they are gone: a
// handler that never comes back is ended by its start-to-close timeout. Once none is left there is nothing to keep, and
// until the event loop turns again the server is told nothing: so a worker that is dead for good counts as gone.
//
// What its polls bring meanwhile lies there unread. So as it stands still the server is told which are open: it ends those that wait,
// and keeps the leases of what the others have brought.

import { create } from "@bufbuild/protobuf";
import { type Client, type Timer, toTqError } from "@tq/client";
import { type Heartbeat, HeartbeatSchema, type Payload, type RenewLeasesResponse } from "@tq/proto";
import type { Confirmations } from "./confirmations.ts";
import type { Lease, LeaseSet } from "./lease-set.ts";
import type { Registrations } from "./registrations.ts";
import type { RenewalSettings, SlotStatus } from "./renewal-messages.ts";
import type { ServerLink } from "./server-link.ts";

/** What keeper and listener need. */
export interface LeaseCallOptions {
  readonly client: Client;
  readonly registrations: Registrations;
  /** Named in each call, so that the server knows who serves them also while no slot is free. */
  readonly taskQueues: RenewalSettings["taskQueues"];
  readonly leases: LeaseSet;
  readonly link: ServerLink;
  readonly status: () => SlotStatus;
  /** Looks what the worker holds by now. */
  readonly look: () => void;
}

/** What the keeper needs. */
export interface LeaseKeeperOptions extends LeaseCallOptions {
  readonly leaseMs: number;
  readonly confirmations: Confirmations;
  /** A call has confirmed these polls. */
  readonly onConfirmed: (pollIds: readonly string[]) => void;
  /** Whether the worker's event loop has turned lately. */
  readonly isOwnerAwake: () => boolean;
  /** Whether the server sees by another call that the worker lives. */
  readonly isSeenAlive: () => boolean;
  /** Whether it stands still just now. */
  readonly isOwnerHeldUp: () => boolean;
}

/** The server calls a worker live for 15 s after a call: three of these. */
const longestIntervalMs = 5_000;
/** On a clock that is moved by hand, where each call costs a test time, and none gets lost unasked. Still within the 15 s. */
const lookAgainMs = 10_000;
/** Well within the five seconds after which the server takes back what is not confirmed. Usually some other call is sooner. */
const confirmAfterMs = 1_000;
/** The deadline of a call, so that one that hangs leaves time for others before the lease is over. */
const shortestTimeoutMs = 1_000;

/** See the top of the file. */
export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions;
  /** A third of the lease at most: two calls may fail before a lease is in danger. */
  readonly #intervalMs: number;
  readonly #ending = new AbortController();
  /** The latest heartbeat of each task that has one to send. Of one whose answer is refused the lease is another object. */
  readonly #heartbeats = new Map<Lease, Heartbeat>();
  #heartbeatsDueAtMs = Number.POSITIVE_INFINITY;
  /** Open polls that the server knows of as held up. */
  #heldUpTold: ReadonlySet<string> = new Set();
  #isHeldUpDue = false;
  #renewedAtMs = 0;
  /** What the last call said of the slots. */
  #statusTold: SlotStatus | undefined;
  #timer: Timer | undefined;
  #isCalling = false;

  constructor(options: LeaseKeeperOptions) {
    this.#options = options;
    const isMovedByHand = options.client.config.clock.isMovedByHand === true;
    const longestMs = isMovedByHand ? lookAgainMs : longestIntervalMs;
    this.#intervalMs = Math.floor(Math.min(longestMs, options.leaseMs / 3));
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

  /** A handler lives. Goes out with a call within `withinMs`; of several, the latest counts, and the latest details. */
  heartbeat(key: string, details: Payload | undefined, withinMs: number): void {
    const lease = this.#options.leases.get(key);
    if (lease === undefined || lease.isAnswering) return;
    const heartbeat = create(HeartbeatSchema, { token: lease.token });
    const said = details ?? this.#heartbeats.get(lease)?.details;
    if (said !== undefined) heartbeat.details = said;
    this.#heartbeats.set(lease, heartbeat);
    const dueAtMs = this.#options.client.config.clock.now() + withinMs;
    if (dueAtMs >= this.#heartbeatsDueAtMs) return;
    this.#heartbeatsDueAtMs = dueAtMs;
    this.#plan();
  }

  /** The worker's event loop stands still. */
  ownerIsHeldUp(): void {
    if (this.#isHeldUpDue || this.#options.confirmations.open().every((id) => this.#heldUpTold.has(id))) return;
    this.#isHeldUpDue = true;
    this.#plan();
  }

  /** The worker's event loop turns. */
  ownerIsAwake(): void {
    this.#isHeldUpDue = false;
    if (this.#heldUpTold.size > 0) this.#heldUpTold = new Set();
    if (this.#timer === undefined) this.#plan();
  }

  get #dueAtMs(): number {
    if (this.#isHeldUpDue) return Number.NEGATIVE_INFINITY;
    const confirmAtMs = (this.#options.confirmations.oldestMs ?? Number.POSITIVE_INFINITY) + confirmAfterMs;
    return Math.min(this.#renewedAtMs + this.#intervalMs, this.#heartbeatsDueAtMs, confirmAtMs);
  }

  /** Nothing is held, and a call would tell the server nothing that it does not see or know. */
  get #hasNothingToSay(): boolean {
    const { leases, confirmations, isSeenAlive, status } = this.#options;
    if (leases.size > 0 || this.#heartbeats.size > 0 || confirmations.oldestMs !== undefined) return false;
    return isSeenAlive() && this.#statusTold !== undefined && isSame(this.#statusTold, status());
  }

  /** Sets the timer for the next call. What that is for may have been done by another call when it fires. */
  #plan(): void {
    if (this.#isCalling || this.#ending.signal.aborted) return;
    const { client, leases, isOwnerAwake, look } = this.#options;
    const { clock } = client.config;
    if (this.#timer !== undefined) clock.clearTimeout(this.#timer);
    const fire = () => {
      look();
      if (this.#timer !== undefined) clock.clearTimeout(this.#timer);
      this.#timer = undefined;
      if (this.#hasNothingToSay || clock.now() < this.#dueAtMs) this.#plan();
      else if (leases.size > 0 || isOwnerAwake()) void this.#renew();
    };
    const waitMs = this.#hasNothingToSay ? lookAgainMs : this.#dueAtMs - clock.now();
    this.#timer = clock.setTimeout(fire, Math.max(0, waitMs));
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
    const { client, registrations, taskQueues, confirmations, leases, status, onConfirmed, isOwnerHeldUp, look } =
      this.#options;
    look();
    const { clock, namespace, callTimeoutMs } = client.config;
    const { worker, answered } = registrations.reference();
    const receivedPollIds = confirmations.ids();
    const heldUpPollIds = isOwnerHeldUp() ? confirmations.open() : [];
    this.#isHeldUpDue = false;
    const heartbeats = new Map(this.#heartbeats);
    this.#heartbeats.clear();
    this.#heartbeatsDueAtMs = Number.POSITIVE_INFINITY;
    this.#renewedAtMs = clock.now();
    const request = {
      namespace,
      worker,
      taskQueues: [...taskQueues],
      tokens: leases.tokens(),
      // Of what has ended meanwhile, the answer tells more; and what its handler said last goes before that, so this is older.
      heartbeats: [...heartbeats].flatMap(([lease, heartbeat]) =>
        leases.get(lease.key) !== lease || lease.isAnswering ? [] : heartbeat,
      ),
      receivedPollIds,
      heldUpPollIds,
      status: status(),
    };
    const timeoutMs = Math.min(callTimeoutMs, Math.max(this.#intervalMs, shortestTimeoutMs));
    let response: RenewLeasesResponse;
    try {
      response = await client.services.workers.renewLeases(request, { signal: this.#ending.signal, timeoutMs });
    } catch (error) {
      // They go with the next call, unless newer ones have come.
      for (const [lease, heartbeat] of heartbeats)
        if (!this.#heartbeats.has(lease)) this.#heartbeats.set(lease, heartbeat);
      throw error;
    }
    this.#statusTold = request.status;
    this.#heldUpTold = new Set(heldUpPollIds);
    answered(response.registrationsWanted);
    confirmations.confirmed(receivedPollIds);
    if (receivedPollIds.length > 0) onConfirmed(receivedPollIds);
    leases.heard(response);
  }
}

function isSame(one: SlotStatus, other: SlotStatus): boolean {
  return (
    one.activitySlots === other.activitySlots &&
    one.activitySlotsUsed === other.activitySlotsUsed &&
    one.workflowSlots === other.workflowSlots &&
    one.workflowSlotsUsed === other.workflowSlotsUsed
  );
}
