import { bounds } from "../validation/bounds.ts";

/** A call is answered so long before its caller's own deadline, so that the answer arrives. */
const beforeDeadlineMs = 1_000;
/** Shorter waits are kept to the letter: jitter is there to spread the polls that wait for a minute. */
const shortWaitMs = 1_000;
/** Up to this share of a wait is taken off at random, so that polls that began together do not end together. */
const jitterShare = 1 / 6;

/**
 * How long to hold a call open, in ms.
 *
 * @param askedMs how long the request wants to wait
 * @param deadlineMs time left until the caller gives up; undefined: it waits for ever
 * @param random a number in [0, 1)
 */
export function holdMs(askedMs: number, deadlineMs: number | undefined, random: number): number {
  const bounded = Math.min(askedMs, bounds.longestWaitMs);
  const jittered = bounded < shortWaitMs ? bounded : bounded * (1 - jitterShare * random);
  const held = deadlineMs === undefined ? jittered : Math.min(jittered, deadlineMs - beforeDeadlineMs);
  return Math.max(0, Math.floor(held));
}
