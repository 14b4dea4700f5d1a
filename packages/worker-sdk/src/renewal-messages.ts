// What the worker and its renewal tell each other. Plain data, since the renewal usually runs in a thread of its own. A token
// is told as its key, a short string: cheaper to hand over than bytes, which bring along the whole answer that they came in.

import type { TaskQueueKind } from "@tq/proto";
import type { BlockingCode } from "./blocking-code.ts";
import type { LinkEvent } from "./server-link.ts";

/** Slots of a worker, and how many of them tasks fill. */
export interface SlotStatus {
  readonly activitySlots: number;
  readonly activitySlotsUsed: number;
  readonly workflowSlots: number;
  readonly workflowSlotsUsed: number;
}

/** What a renewal is to know from the beginning. */
export interface RenewalSettings {
  readonly workerId: string;
  readonly identity: string;
  readonly buildId: string;
  readonly activityTypes: readonly string[];
  readonly workflowTypes: readonly string[];
  /** Queues that the worker serves, whether or not it has a slot free to poll them. */
  readonly taskQueues: readonly { readonly name: string; readonly kind: TaskQueueKind }[];
  readonly leaseMs: number;
}

/** What a renewal is told, besides what the worker holds. */
export type RenewalInput =
  /** A handler lives. The details are a `Payload`, in protobuf's binary form. */
  | {
      readonly kind: "heartbeat";
      readonly key: string;
      readonly details: Uint8Array | undefined;
      readonly withinMs: number;
    }
  /** Calls of the worker go through again: what backs off may try at once. */
  | { readonly kind: "back" }
  /** The worker's event loop turns; and whether a debugger may hold it up. */
  | { readonly kind: "pulse"; readonly isInspected: boolean };

/** What a renewal tells. */
export type RenewalNews =
  /** These leases are gone. */
  | { readonly kind: "lost"; readonly keys: readonly string[] }
  | { readonly kind: "cancelRequested"; readonly key: string; readonly reason: string }
  /** Told with each answer of the server. */
  | { readonly kind: "drain"; readonly isRequested: boolean }
  | { readonly kind: "confirmed"; readonly pollIds: readonly string[] }
  | { readonly kind: "calls"; readonly event: LinkEvent }
  /** The worker's event loop turns again, after it did not for so long: what held it up, if that is known, and the types of the tasks that ran. */
  | {
      readonly kind: "unblocked";
      readonly forMs: number;
      readonly code: BlockingCode | undefined;
      readonly running: readonly string[];
    };
