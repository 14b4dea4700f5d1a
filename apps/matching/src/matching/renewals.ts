import type { RenewResult } from "@tq/storage";
import type { Clock, ServerTime } from "../clock.ts";
import type { CallerSignal, RenewCall } from "./matching.ts";
import type { News } from "./news.ts";

/** What a renewal found, and the news that it knew of. */
export interface Renewed {
  readonly lost: RenewResult["lost"];
  readonly cancels: RenewResult["cancels"];
  readonly noticesSeen: string;
}

/** Carries out one renewal. */
export type RenewOnce = (heartbeats: RenewCall["heartbeats"]) => Promise<RenewResult>;

/**
 * Renews leases, and holds the call open until there is news that its worker has not seen.
 *
 * @param renewOnce carries out one renewal; heartbeats count only in the first
 */
export async function renewAndHold(
  call: RenewCall,
  workerKey: string,
  news: News,
  clock: Clock,
  time: ServerTime,
  renewOnce: RenewOnce,
): Promise<Renewed> {
  const until = time.now() + call.holdMs;
  // Read before the renewal: news that comes during it is then told once more, never missed.
  let noticesSeen = news.cursor(workerKey);
  let { lost, cancels } = await renewOnce(call.heartbeats);
  while (call.noticesSeen === noticesSeen && lost.length === 0) {
    if (!(await newsBefore(until, call.signal, workerKey, news, clock, time))) break;
    noticesSeen = news.cursor(workerKey);
    ({ lost, cancels } = await renewOnce([]));
  }
  return { lost, cancels, noticesSeen };
}

/** Waits for news of a worker. Answers whether some came before the time was over or the caller gone. */
async function newsBefore(
  until: number,
  signal: CallerSignal,
  workerKey: string,
  news: News,
  clock: Clock,
  time: ServerTime,
): Promise<boolean> {
  const waitMs = until - time.now();
  if (waitMs <= 0 || signal.aborted) return false;
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const gone = (): void => resolve(false);
  const stop = news.hold(workerKey, resolve);
  const cancelTimer = clock.after(waitMs, gone);
  signal.addEventListener("abort", gone);
  try {
    return await promise;
  } finally {
    stop();
    cancelTimer();
    signal.removeEventListener("abort", gone);
  }
}
