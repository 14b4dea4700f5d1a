/*
 * Stride scheduling (Waldspurger and Weihl, 1995). Inside a priority every fairness key has a pass, and each task of the
 * key that is placed advances it by one stride, 1/weight. The task with the lowest pass goes first, so that keys share
 * the dispatch by their weights. The virtual time is the pass of the last dispatched task: a key that comes (back) begins
 * there, with neither debt nor credit.
 *
 * A key is light while its next pass is less than `lightStrides` strides ahead of the virtual time; then its tasks stand
 * in the order index themselves. A heavy one puts later tasks into a lane of its own, first in first out, with one
 * marker in the index, so that a million tasks of one key cost the others nothing.
 */

/** How many strides ahead of the virtual time a key may be and still be light. 128 to 256 were measured to be best. */
export const lightStrides = 192;

/** Priorities, first to last. Strict: nothing of a later one goes while an earlier one has an eligible task. */
export const priorities = [1, 2, 3, 4, 5] as const;
/** One of the five. */
export type Priority = (typeof priorities)[number];
/** Priority of a task that names none: the middle. */
export const defaultPriority: Priority = 3;

/** Weight of a task that names none. */
export const defaultWeight = 1;
/** Bounds of a weight: a million to one between two keys. */
export const weightBounds = { min: 0.001, max: 1_000 } as const;

/** How far one task of this weight advances its key. */
export function stride(weight: number): number {
  return 1 / weight;
}

/** The pass that the next task of a key gets. `keyPass` is 0 for a key that is not known (any more). */
export function placePass(virtualTime: number, keyPass: number): number {
  return Math.max(virtualTime, keyPass);
}

/** Whether a key whose next task gets `pass` is still light. */
export function isLight(pass: number, virtualTime: number, weight: number): boolean {
  return (pass - virtualTime) * weight < lightStrides;
}

/** A place in the dispatch order of one priority. Two tasks never have the same. */
export interface Place {
  readonly pass: number;
  readonly place: number;
}

/** Whether `a` goes before `b`. */
export function before(a: Place, b: Place): boolean {
  return a.pass < b.pass || (a.pass === b.pass && a.place < b.place);
}
