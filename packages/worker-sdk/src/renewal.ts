// Keeps the leases of a worker, hears of what the server has to say about them, and shows that the worker lives. It knows
// nothing of handlers: it is told what the worker holds (holdings.ts), and tells what it hears. Usually it runs in a thread of its own
// (renewal-thread.ts), with a connection of its own, so that a handler that blocks the event loop keeps its lease; over a
// transport or on a clock of the user's making it runs in the worker's thread. It is the same code either way.

import { fromBinary } from "@bufbuild/protobuf";
import type { Client } from "@tq/client";
import { PayloadSchema } from "@tq/proto";
import { Confirmations } from "./confirmations.ts";
import type { HeldLease, Holdings } from "./holdings.ts";
import { LeaseKeeper } from "./lease-keeper.ts";
import { LeaseSet } from "./lease-set.ts";
import { NoticeListener } from "./notice-listener.ts";
import { Registrations } from "./registrations.ts";
import type { RenewalInput, RenewalNews, RenewalSettings, SlotStatus } from "./renewal-messages.ts";
import { ServerLink } from "./server-link.ts";

/** What a renewal needs. */
export interface RenewalOptions {
  readonly client: Client;
  readonly settings: RenewalSettings;
  readonly report: (news: RenewalNews) => void;
  readonly status: () => SlotStatus;
  /** Looks what the worker holds by now, where this is not told as it changes. Default: it is. */
  readonly look?: () => void;
  /** Whether the worker's event loop has turned lately. Where that cannot be told apart from the renewal's own, it always has. */
  readonly isOwnerAwake: () => boolean;
  /** Whether the server sees by another call that the worker lives, so that none need be made for that alone. Default: never. */
  readonly isSeenAlive?: () => boolean;
  /** Whether it stands still just now, so that what its polls bring lies there unread. */
  readonly isOwnerHeldUp: () => boolean;
}

/** See the top of the file. */
export class Renewal implements Holdings {
  /** The leases that are kept. */
  readonly leases: LeaseSet;
  readonly #confirmations = new Confirmations();
  readonly #link: ServerLink;
  readonly #keeper: LeaseKeeper;
  readonly #listener: NoticeListener;

  constructor(options: RenewalOptions) {
    const { client, settings, report, status, isOwnerAwake, isOwnerHeldUp } = options;
    const { look = () => {}, isSeenAlive = () => false } = options;
    const { clock, random } = client.config;
    this.leases = new LeaseSet(report, look);
    this.#link = new ServerLink({ clock, random, report: (event) => report({ kind: "calls", event }) });
    const { workerId, identity, buildId, activityTypes, workflowTypes } = settings;
    const registrations = new Registrations({ workerId, identity, buildId }, activityTypes, workflowTypes);
    const { taskQueues } = settings;
    const calls = {
      client,
      registrations,
      taskQueues,
      leases: this.leases,
      link: this.#link,
      status,
      look,
    };
    const confirmations = this.#confirmations;
    this.#keeper = new LeaseKeeper({
      ...calls,
      leaseMs: settings.leaseMs,
      confirmations,
      onConfirmed: (pollIds) => report({ kind: "confirmed", pollIds }),
      isOwnerAwake,
      isSeenAlive,
      isOwnerHeldUp,
    });
    this.#listener = new NoticeListener(calls);
  }

  start(): void {
    this.#keeper.start();
    this.#listener.start();
  }

  /** Renews and listens no more. */
  stop(): void {
    this.#listener.stop();
    this.#keeper.stop();
  }

  /** The worker's event loop stands still. Told again and again while it does. */
  ownerIsHeldUp(): void {
    this.#keeper.ownerIsHeldUp();
  }

  begun(leases: readonly HeldLease[], atMs: number): void {
    this.leases.add(leases, atMs);
  }

  answering(key: string): void {
    this.leases.answering(key);
  }

  over(key: string): void {
    this.leases.delete(key);
  }

  polling(pollId: string): void {
    this.#confirmations.polling(pollId);
  }

  polled(pollId: string): void {
    this.#confirmations.polled(pollId);
  }

  received(pollId: string, atMs: number): void {
    this.#confirmations.add(pollId, atMs);
  }

  confirmed(pollIds: readonly string[]): void {
    this.#confirmations.confirmed(pollIds);
  }

  /** Takes in what the worker has to tell besides. */
  take(input: RenewalInput): void {
    switch (input.kind) {
      case "heartbeat": {
        const details = input.details === undefined ? undefined : fromBinary(PayloadSchema, input.details);
        this.#keeper.heartbeat(input.key, details, input.withinMs);
        return;
      }
      case "back":
        this.#link.back();
        return;
      case "pulse":
        this.#keeper.ownerIsAwake();
    }
  }
}
