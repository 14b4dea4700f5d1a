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

/** Calls so many times a second, for so long, whether earlier calls are answered or not. Resolves once all are answered. */
export async function callAtRate<T>(perSecond: number, forMs: number, call: () => Promise<T>): Promise<T[]> {
  const calling: Promise<T>[] = [];
  const sinceMs = performance.now();
  for (let elapsedMs = 0; elapsedMs < forMs; elapsedMs = performance.now() - sinceMs) {
    const due = Math.floor((elapsedMs * perSecond) / 1_000);
    while (calling.length < due) calling.push(call());
    await sleep(1);
  }
  return Promise.all(calling);
}
