import type { SlotStatus } from "./renewal-messages.ts";

/** A {@link SlotStatus} in memory that threads share. */
export class SharedStatus {
  readonly memory: SharedArrayBuffer;
  readonly #counts: Int32Array;

  /** The one that is in `memory`. Default: a new one, without slots. */
  constructor(memory = new SharedArrayBuffer(4 * Int32Array.BYTES_PER_ELEMENT)) {
    this.memory = memory;
    this.#counts = new Int32Array(memory);
  }

  set({ activitySlots, activitySlotsUsed, workflowSlots, workflowSlotsUsed }: SlotStatus): void {
    const counts = this.#counts;
    counts[0] = activitySlots;
    counts[1] = activitySlotsUsed;
    counts[2] = workflowSlots;
    counts[3] = workflowSlotsUsed;
  }

  get(): SlotStatus {
    const [activitySlots = 0, activitySlotsUsed = 0, workflowSlots = 0, workflowSlotsUsed = 0] = this.#counts;
    return { activitySlots, activitySlotsUsed, workflowSlots, workflowSlotsUsed };
  }
}
