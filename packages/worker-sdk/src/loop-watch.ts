// Tells from one thread whether the event loop of another one turns. The other one pulses; too long without a pulse, and a
// handler there blocks it. That is said at once, past the worker's logger, which cannot run just then; and once more, to the
// worker, when its event loop turns again.

import type { Clock, Timer } from "@tq/client";

/** What the watch needs. */
export interface LoopWatchOptions {
  readonly clock: Clock;
  /** So long without a pulse means that the event loop is blocked. */
  readonly blockedAfterMs: number;
  /** So long without one means that it stands still. */
  readonly heldUpAfterMs: number;
  /** Said at each look, before anything else. */
  readonly onLook: () => void;
  /** It does. Said at each look. */
  readonly onHeldUp: () => void;
  /** It is blocked. Said once for each time. */
  readonly onBlocked: (forMs: number) => void;
  /** It is no longer, after so long. */
  readonly onUnblocked: (forMs: number) => void;
}

/** How often the watched event loop pulses, and the watch looks. */
export const pulseMs = 500;

/** See the top of the file. */
export class LoopWatch {
  readonly #options: LoopWatchOptions;
  #pulsedAtMs: number;
  #isBlocked = false;
  #timer: Timer | undefined;

  constructor(options: LoopWatchOptions) {
    this.#options = options;
    this.#pulsedAtMs = options.clock.now();
  }

  start(): void {
    const { clock, blockedAfterMs, onBlocked, onHeldUp, onLook } = this.#options;
    const look = () => {
      onLook();
      const silentMs = this.silentMs;
      if (this.isHeldUp) onHeldUp();
      if (!this.#isBlocked && silentMs >= blockedAfterMs) {
        this.#isBlocked = true;
        onBlocked(silentMs);
      }
      this.#timer = clock.setTimeout(look, pulseMs);
    };
    this.#pulsedAtMs = clock.now();
    this.#timer = clock.setTimeout(look, pulseMs);
  }

  stop(): void {
    if (this.#timer !== undefined) this.#options.clock.clearTimeout(this.#timer);
  }

  /** Whether the event loop stands still. */
  get isHeldUp(): boolean {
    return this.silentMs >= this.#options.heldUpAfterMs;
  }

  /** How long ago the last pulse was. */
  get silentMs(): number {
    return this.#options.clock.now() - this.#pulsedAtMs;
  }

  /** The event loop turns. */
  pulse(): void {
    const silentMs = this.silentMs;
    this.#pulsedAtMs = this.#options.clock.now();
    if (!this.#isBlocked) return;
    this.#isBlocked = false;
    this.#options.onUnblocked(silentMs);
  }
}
