import { type Clock, sleep } from "@tq/client";
import { kindName } from "@tq/client/internal";
import type { DispatchedTask } from "@tq/proto";
import type { Logger } from "./logger.ts";
import type { CustomSlotSupplier, SlotInfo, SlotPermit, SlotReserveContext } from "./slot-supplier.ts";
import type { Slots } from "./slots.ts";

/** What supplied slots need. */
export interface SuppliedSlotsOptions {
  readonly supplier: CustomSlotSupplier;
  /** How many there are at most; for operators. Unset where the supplier does not say. */
  readonly capacity?: () => number;
  readonly slotType: SlotInfo["type"];
  readonly taskQueue: string;
  readonly processTaskQueue: string | undefined;
  readonly identity: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The least time from one failed `reserveSlot` to the next. */
const restMs = 1_000;

/**
 * Slots that a supplier hands out one by one. What it throws is told in the log and does no more: a slot that it cannot
 * give is not there, and one that it cannot take back is free.
 */
export class SuppliedSlots implements Slots {
  readonly isLendable = false;
  readonly #options: SuppliedSlotsOptions;
  readonly #listeners: (() => void)[] = [];
  /** Waited for, and not asked for since. */
  readonly #waiting: SlotPermit[] = [];
  /** Reserved, and no task has come for them yet. */
  readonly #unused: SlotPermit[] = [];
  /** By an object of ours: a supplier may give the same permit for every slot. */
  readonly #used = new Map<object, { readonly permit: SlotPermit; readonly slotInfo: SlotInfo }>();
  /** Of the `reserveSlot` that is under way: each has a signal of its own, so that what it leaves on it goes with it. */
  #reserving: AbortController | undefined;
  #isStopped = false;

  constructor(options: SuppliedSlotsOptions) {
    this.#options = options;
  }

  get capacity(): number {
    return this.#options.capacity?.() ?? this.#issued;
  }

  get reserved(): number {
    return this.#unused.length + this.#used.size;
  }

  get #issued(): number {
    return this.reserved + this.#waiting.length;
  }

  tryReserve(): boolean {
    if (this.#isStopped) return false;
    const permit = this.#waiting.pop() ?? this.#attempt(() => this.#options.supplier.tryReserveSlot(this.#context()));
    if (permit === undefined || permit === null) {
      if (this.#reserving === undefined) void this.#reserve();
      return false;
    }
    this.#unused.push(permit);
    return true;
  }

  markUsed(task: DispatchedTask): object {
    const permit = this.#unused.pop();
    if (permit === undefined) throw new Error("a task has come for which no slot is reserved");
    const slotInfo = this.#infoOf(task);
    const slot = {};
    this.#used.set(slot, { permit, slotInfo });
    this.#attempt(() => this.#options.supplier.markSlotUsed({ permit, slotInfo }));
    return slot;
  }

  release(slot?: object): void {
    const used = slot === undefined ? undefined : this.#used.get(slot);
    const permit = slot === undefined ? this.#unused.pop() : used?.permit;
    if (permit === undefined) throw new Error("a slot was given back twice");
    if (slot !== undefined) this.#used.delete(slot);
    this.#giveBack(permit, used?.slotInfo);
    this.#tellFree();
  }

  onFree(listener: () => void): void {
    this.#listeners.push(listener);
  }

  stop(): void {
    this.#isStopped = true;
    this.#reserving?.abort(new Error("the worker is shutting down"));
    for (const permit of this.#waiting.splice(0)) this.#giveBack(permit, undefined);
  }

  /** Waits for one slot. Never rejects. */
  async #reserve(): Promise<void> {
    const { supplier, clock, logger } = this.#options;
    this.#reserving = new AbortController();
    const { signal } = this.#reserving;
    try {
      // An author in JavaScript may forget to return it.
      const permit: SlotPermit | null | undefined = await supplier.reserveSlot(this.#context(), signal);
      if (permit === undefined || permit === null)
        throw new TypeError(`it answered ${String(permit)}, which is no permit`);
      if (signal.aborted) this.#giveBack(permit, undefined);
      else this.#waiting.push(permit);
    } catch (error) {
      if (!signal.aborted) {
        logger.error({ error }, "The slot supplier failed: reserveSlot");
        await sleep(clock, restMs, signal).catch(() => {});
      }
    }
    this.#reserving = undefined;
    if (!signal.aborted) this.#tellFree();
  }

  #giveBack(permit: SlotPermit, slotInfo: SlotInfo | undefined): void {
    this.#attempt(() => this.#options.supplier.releaseSlot({ permit, slotInfo }));
  }

  #tellFree(): void {
    for (const listener of this.#listeners) listener();
  }

  #context(): SlotReserveContext {
    const { slotType, taskQueue, identity } = this.#options;
    return { slotType, taskQueue, workerIdentity: identity, numIssued: this.#issued };
  }

  #infoOf({ type, taskQueue }: DispatchedTask): SlotInfo {
    if (kindName(taskQueue?.kind) === "activity") return { type: "activity", activityType: type };
    return { type: "workflow", workflowType: type, isSticky: taskQueue?.name === this.#options.processTaskQueue };
  }

  #attempt<T>(call: () => T): T | undefined {
    try {
      return call();
    } catch (error) {
      this.#options.logger.error({ error }, "The slot supplier failed");
      return undefined;
    }
  }
}
