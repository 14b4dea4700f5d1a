import type { Clock, Timer } from "@tq/client";
import type { DispatchedTask } from "@tq/proto";
import type { SlotPermit } from "./slot-supplier.ts";
import type { Slots } from "./slots.ts";

/** At most this share of a second's tasks begins at once; so no second sees more than a tenth over its rate. */
const burstSeconds = 0.1;

/**
 * Slots that fill at a bounded rate. A slot is reserved only while its task might begin at once, so the poll never asks
 * for a task that would have to wait here; the rate is spent when a task comes.
 */
export class PacedSlots implements Slots {
  readonly isLendable = false;
  readonly #slots: Slots;
  readonly #clock: Clock;
  readonly #perMs: number;
  readonly #burst: number;
  readonly #listeners: (() => void)[] = [];
  /** Tasks that may begin, as of `#atMs`. */
  #allowed: number;
  #atMs: number;
  /** Reserved for the poll under way. */
  #offered = 0;
  #timer: Timer | undefined;
  #isStopped = false;

  constructor(slots: Slots, perSecond: number, clock: Clock) {
    this.#slots = slots;
    this.#clock = clock;
    this.#perMs = perSecond / 1_000;
    this.#burst = Math.max(1, Math.floor(perSecond * burstSeconds));
    this.#allowed = this.#burst;
    this.#atMs = clock.now();
    slots.onFree(() => this.#tellFree());
  }

  get capacity(): number {
    return this.#slots.capacity;
  }

  get reserved(): number {
    return this.#slots.reserved;
  }

  tryReserve(): boolean {
    this.#refill();
    if (this.#allowed - this.#offered < 1) {
      this.#wakeLater();
      return false;
    }
    if (!this.#slots.tryReserve()) return false;
    this.#offered++;
    return true;
  }

  markUsed(task: DispatchedTask): SlotPermit | undefined {
    this.#refill();
    this.#offered--;
    this.#allowed--;
    // A permit even where the slots have none: it tells a slot that was filled from one that was not.
    return this.#slots.markUsed(task) ?? filled;
  }

  release(permit?: SlotPermit): void {
    if (permit === undefined) this.#offered--;
    this.#slots.release(permit === filled ? undefined : permit);
  }

  onFree(listener: () => void): void {
    this.#listeners.push(listener);
  }

  stop(): void {
    this.#isStopped = true;
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#slots.stop();
  }

  #refill(): void {
    const nowMs = this.#clock.now();
    this.#allowed = Math.min(this.#burst, this.#allowed + (nowMs - this.#atMs) * this.#perMs);
    this.#atMs = nowMs;
  }

  #wakeLater(): void {
    // With as many offered as may ever begin at once no time helps: a poll has to end first, and is followed by the next.
    if (this.#timer !== undefined || this.#isStopped || this.#offered >= this.#burst) return;
    const waitMs = Math.ceil((1 + this.#offered - this.#allowed) / this.#perMs);
    this.#timer = this.#clock.setTimeout(() => {
      this.#timer = undefined;
      this.#tellFree();
    }, waitMs);
  }

  #tellFree(): void {
    for (const listener of this.#listeners) listener();
  }
}

const filled: SlotPermit = Object.freeze({});
