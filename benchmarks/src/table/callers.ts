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
}

/**
 * Calls so many times a second, for so long, whether earlier calls are answered or not. Resolves once all are answered. Of a
 * call that is answered nothing is kept: what lives on until the end is copied by each collection of the client's garbage,
 * and brings on the large ones, whose stops then count as the latency of whatever is measured.
 */
export async function callAtRate(perSecond: number, forMs: number, call: () => Promise<unknown>): Promise<Called> {
  let made = 0;
  let failed = 0;
  let open = 0;
  let allAnswered: (() => void) | undefined;
  const answered = (): void => {
    if (--open === 0) allAnswered?.();
  };
  const refused = (): void => {
    failed++;
    answered();
  };
  const sinceMs = performance.now();
  for (let elapsedMs = 0; elapsedMs < forMs; elapsedMs = performance.now() - sinceMs) {
    const due = Math.floor((elapsedMs * perSecond) / 1_000);
    for (; made < due; made++) {
      open++;
      call().then(answered, refused);
    }
    await sleep(1);
  }
  if (open > 0) await new Promise<void>((resolve) => (allAnswered = resolve));
  return { made, failed };
}
