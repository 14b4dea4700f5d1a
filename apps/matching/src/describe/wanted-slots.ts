/** What the number of wanted slots depends on. */
export interface Load {
  readonly ready: number;
  readonly started: number;
  readonly addsPerSecond: number;
  readonly dispatchesPerSecond: number;
  /** Nothing new is dispatched. */
  readonly paused?: boolean;
  /** What an operator allows: beyond it, slots would stand idle. */
  readonly ratePerSecond?: number;
  readonly maxStarted?: number;
}

/** A backlog is to be cleared within so many seconds. */
const clearWithinSeconds = 30;
/** How long an attempt is taken to last where none was dispatched lately that would tell. */
const unknownAttemptSeconds = 1;

/**
 * Slots that keep a queue from growing and clear its backlog within 30 s, for autoscalers. By Little's law an attempt
 * lasts started/dispatches per second; so many slots are busy at a rate as the rate times that.
 */
export function wantedSlots(load: Load): number {
  const { ready, started, addsPerSecond, dispatchesPerSecond, ratePerSecond, maxStarted = Infinity } = load;
  if (load.paused === true) return started;
  const attemptSeconds = dispatchesPerSecond > 0 ? started / dispatchesPerSecond : unknownAttemptSeconds;
  const slots = Math.ceil(attemptSeconds * (addsPerSecond + ready / clearWithinSeconds));
  // Attempts too short to be seen as started still need a slot; and more slots than tasks help nobody.
  const atLeast = ready > 0 || addsPerSecond > 0 ? 1 : 0;
  const useful = ready + started + Math.ceil(attemptSeconds * addsPerSecond);
  const allowed = ratePerSecond === undefined ? Infinity : Math.ceil(attemptSeconds * ratePerSecond);
  return Math.max(atLeast, Math.min(slots, useful, allowed, maxStarted));
}
