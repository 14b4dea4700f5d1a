import type { Duration } from "@tq/client";
import type { ResourceReader } from "./resources.ts";

/** What a slot is filled with: an activity of this type. */
export interface ActivitySlotInfo {
  readonly type: "activity";
  readonly activityType: string;
}

/** What a slot is filled with: a workflow task of this type. */
export interface WorkflowSlotInfo {
  readonly type: "workflow";
  readonly workflowType: string;
  /** True for a task that came by the worker's own process queue. */
  readonly isSticky: boolean;
}

/** What a slot is filled with. */
export type SlotInfo = ActivitySlotInfo | WorkflowSlotInfo;

/** Proof that a slot is reserved. Its supplier gets it back, and may keep with it what it likes. */
export type SlotPermit = object;

/** For whom a slot is asked. */
export interface SlotReserveContext {
  readonly slotType: SlotInfo["type"];
  readonly taskQueue: string;
  readonly workerIdentity: string;
  /** Slots of this supplier that are reserved now. */
  readonly numIssued: number;
}

/** A slot is filled. */
export interface SlotMarkUsedContext<SI extends SlotInfo = SlotInfo> {
  readonly permit: SlotPermit;
  readonly slotInfo: SI;
}

/** A slot is given back. */
export interface SlotReleaseContext<SI extends SlotInfo = SlotInfo> {
  readonly permit: SlotPermit;
  /** What it was filled with; unset if the poll that it was reserved for brought no task for it. */
  readonly slotInfo: SI | undefined;
}

/** A number of slots that does not change. */
export interface FixedSizeSlotSupplier {
  readonly type: "fixed-size";
  /** 1 to 10,000. */
  readonly numSlots: number;
}

/** What may be said about resource-based slots of one kind. */
export interface ResourceBasedSlotOptions {
  /** Slots that there are whatever the readings say, at least 1. Default 1 for activities, 5 for workflow tasks. */
  readonly minimumSlots?: number;
  /** Slots that there are at most, up to 10,000. Default 1,000. */
  readonly maximumSlots?: number;
  /**
   * Least time from one slot more than there were before to the next, so that its task shows in the readings. Default
   * 50 ms for activities, 0 for workflow tasks, which are short. A slot that was in use before is handed out again at once.
   */
  readonly rampThrottle?: Duration;
}

/** What resource-based slots keep to. */
export interface ResourceBasedTunerOptions {
  /** No slot is added while more than this share of memory is in use, 0 to 1. 0.8 is a good value: what tasks take comes late. */
  readonly targetMemoryUsage: number;
  /** No slot is added while more than this share of processor time is in use, 0 to 1. 0.9 is a good value. */
  readonly targetCpuUsage: number;
  /** Where the readings come from. Default: Node's own, of the process and its machine or container. */
  readonly resources?: ResourceReader;
}

/** As many slots as keep the process and its machine under their targets. */
export interface ResourceBasedSlotsForType extends ResourceBasedSlotOptions {
  readonly type: "resource-based";
  readonly tunerOptions: ResourceBasedTunerOptions;
}

/**
 * Slots of the author's own making. None of its methods should throw; one that does is reported in the log, and the slot
 * counts as not there, or as given back. Slots are reserved before the poll that asks for tasks to fill them, and those
 * that it brings no task for are given back when it ends.
 */
export interface CustomSlotSupplier<SI extends SlotInfo = SlotInfo> {
  readonly type: "custom";
  /**
   * Waits until there is a slot. One call is under way at a time, and only while {@link tryReserveSlot} has none. Once
   * `abortSignal` fires the worker wants it no more; reject then.
   */
  reserveSlot(context: SlotReserveContext, abortSignal: AbortSignal): Promise<SlotPermit>;
  /** A slot, if there is one now. */
  tryReserveSlot(context: SlotReserveContext): SlotPermit | null;
  /** A task has come for it. */
  markSlotUsed(context: SlotMarkUsedContext<SI>): void;
  /** It is free: its task is off the worker's hands, or none came. */
  releaseSlot(context: SlotReleaseContext<SI>): void;
}

/** Where the slots of one kind of task come from. */
export type SlotSupplier<SI extends SlotInfo> =
  | FixedSizeSlotSupplier
  | ResourceBasedSlotsForType
  | CustomSlotSupplier<SI>;
