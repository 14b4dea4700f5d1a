import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";

/** Lets so many callers call at once, each again as soon as its call is answered, until `call` says false or the time is over. */
export async function callAtOnce(
  callers: number,
  limitMs: number,
  call: () => Promise<unknown> | false,
): Promise<void> {
  const endsAt = performance.now() + limitMs;
  const caller = async (): Promise<void> => {
    for (;;) {
      const calling = performance.now() < endsAt && call();
      if (calling === false) return;
      await calling;
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
}

/** What calls at a steady rate came to. */
export interface Called {
  readonly made: number;
  /** How many of them were rejected. */
  readonly failed: number;
  /** Why the first of these was. */
  readonly firstError?: unknown;
  /** Whether all were made: false if so many were unanswered at once that no more were. */
  readonly isWhole: boolean;
}

/** What calls at a rate go by. */
export interface RateClock {
  nowMs(): number;
  /** Resolves a millisecond later, or when there is time. */
  turn(): Promise<unknown>;
}

const thisClock: RateClock = { nowMs: () => performance.now(), turn: () => sleep(1) };

/**
 * Calls so many times a second, for so long, whether earlier calls are answered or not; but no more once half a second's worth
 * is unanswered, which is no steady rate any longer. Resolves once all are answered.
 *
 * Of a call that is answered nothing is kept: what lives on until the end is copied by each collection of the client's
 * garbage, and brings on the large ones, whose stops then count as the latency of whatever is measured.
 */
export async function callAtRate(
  perSecond: number,
  forMs: number,
  call: () => Promise<unknown>,
  clock = thisClock,
): Promise<Called> {
  const mostOpen = perSecond / 2;
  let made = 0;
  let open = 0;
  let failed = 0;
  let firstError: unknown;
  let allAnswered: (() => void) | undefined;
  const answered = (): void => {
    if (--open === 0) allAnswered?.();
  };
  const refused = (error: unknown): void => {
    if (failed++ === 0) firstError = error;
    answered();
  };
  const sinceMs = clock.nowMs();
  let isWhole = true;
  for (let elapsedMs = 0; elapsedMs < forMs && isWhole; elapsedMs = clock.nowMs() - sinceMs) {
    const due = Math.floor((elapsedMs * perSecond) / 1_000);
    for (; made < due && open < mostOpen; made++) {
      open++;
      call().then(answered, refused);
    }
    isWhole = made >= due;
    await clock.turn();
  }
  if (open > 0) await new Promise<void>((resolve) => (allAnswered = resolve));
  return { made, failed, ...(failed > 0 && { firstError }), isWhole };
}
