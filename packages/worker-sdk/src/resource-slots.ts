// As many slots as keep the readings under their targets.
//
// There is a *level*: how many slots may be in use. Up to the minimum it always is. Beyond it, the level rises by one at a
// time, when all slots are in use, both readings are under their targets, and the throttle's time has passed since it last
// rose. When a reading is at its target the level falls to what is in use, and from then on a slot that becomes free is
// handed out again only once the readings allow it. A slot below the level is handed out at once: its like was in use
// before, and the readings were well.

import { type Clock, sleep } from "@tq/client";
import type { ResourceReader } from "./resources.ts";
import type { CustomSlotSupplier, SlotPermit } from "./slot-supplier.ts";

/** What resource-based slots need. */
export interface ResourceSlotsOptions {
  readonly targetMemoryUsage: number;
  readonly targetCpuUsage: number;
  readonly resources: ResourceReader;
  readonly minimumSlots: number;
  readonly maximumSlots: number;
  readonly rampThrottleMs: number;
  readonly clock: Clock;
}

/** How soon the readings are looked at again while they forbid a slot. */
const lookAgainMs = 100;

/** See the top of the file. */
export class ResourceSlots implements CustomSlotSupplier {
  readonly type = "custom";
  readonly #options: ResourceSlotsOptions;
  readonly #permits = new Set<SlotPermit>();
  #level: number;
  #roseAtMs = Number.NEGATIVE_INFINITY;
  #released = Promise.withResolvers<void>();

  constructor(options: ResourceSlotsOptions) {
    this.#options = options;
    this.#level = options.minimumSlots;
  }

  /** How many slots there may be at most, as the readings are now. */
  get capacity(): number {
    return this.#isWell() ? this.#options.maximumSlots : Math.max(this.#options.minimumSlots, this.#permits.size);
  }

  tryReserveSlot(): SlotPermit | null {
    const { minimumSlots, maximumSlots, rampThrottleMs, clock } = this.#options;
    const issued = this.#permits.size;
    if (issued < minimumSlots) return this.#issue();
    if (!this.#isWell()) {
      this.#level = issued;
      return null;
    }
    if (issued >= this.#level) {
      const nowMs = clock.now();
      if (issued >= maximumSlots || nowMs - this.#roseAtMs < rampThrottleMs) return null;
      this.#level = issued + 1;
      this.#roseAtMs = nowMs;
    }
    return this.#issue();
  }

  async reserveSlot(_context: unknown, abortSignal: AbortSignal): Promise<SlotPermit> {
    for (;;) {
      const permit = this.tryReserveSlot();
      if (permit !== null) return permit;
      await this.#change(abortSignal);
    }
  }

  markSlotUsed(): void {
    // A slot counts from when it is reserved: its task may come at any moment.
  }

  releaseSlot({ permit }: { readonly permit: SlotPermit }): void {
    this.#permits.delete(permit);
    this.#released.resolve();
    this.#released = Promise.withResolvers();
  }

  #issue(): SlotPermit {
    const permit = {};
    this.#permits.add(permit);
    return permit;
  }

  #isWell(): boolean {
    const { resources, targetMemoryUsage, targetCpuUsage } = this.#options;
    const { memory, cpu } = resources.read();
    return memory < targetMemoryUsage && cpu < targetCpuUsage;
  }

  /** Until a slot is given back, or time may have changed something. */
  async #change(abortSignal: AbortSignal): Promise<void> {
    const { clock, maximumSlots, rampThrottleMs } = this.#options;
    const done = new AbortController();
    const signal = AbortSignal.any([abortSignal, done.signal]);
    const sinceMs = clock.now() - this.#roseAtMs;
    const waitMs = sinceMs < rampThrottleMs ? rampThrottleMs - sinceMs : lookAgainMs;
    const time = this.#permits.size < maximumSlots ? sleep(clock, waitMs, signal) : aborted(signal);
    try {
      await Promise.race([this.#released.promise, time]);
    } finally {
      // Whatever waits for time or the signal lets go of both; nobody hears of it.
      time.catch(() => {});
      done.abort();
    }
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason as Error);
    else signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
  });
}
