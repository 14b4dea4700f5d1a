/* What is the matter and what to do about it, in one sentence each: the hints of the reasons why tasks wait. */
import type { TaskQueue } from "@tq/matching-core";
import type { HeldBackKeys, PauseRecord, TaskQueueConfig } from "@tq/storage";
import type { QueueActivity } from "../matching/matching.ts";

/** How many types a hint names. */
const typesInHint = 3;

/** All wait for their time. */
export const allDelayed =
  "Nothing is ready: every task waits for its delay or for the back-off after a failed attempt to end.";

/** An earlier one has their serial key. */
export const serialKeyBusy = "An earlier task with the same serial key is open; the next one follows when it closes.";

/** The store refuses writes. */
export function storeUnavailable(storeError: string): string {
  return `Nothing can be written, so nothing moves: ${storeError}.`;
}

/** An operator has paused the queue. */
export function paused({ actor, reason, until }: PauseRecord): string {
  const who = actor === "" ? "An operator" : JSON.stringify(actor);
  const why = reason === "" ? "" : ` (${JSON.stringify(reason)})`;
  const end = until === undefined ? "resume the queue" : `it goes on at ${new Date(until).toISOString()}, or resume it`;
  return `${who} paused dispatch${why}; ${end}.`;
}

/** Nobody polls the queue who takes tasks. */
export function noWorkers(queue: TaskQueue, { workers }: QueueActivity): string {
  const name = `${queue.kind} queue ${JSON.stringify(queue.name)}`;
  if (workers.length === 0) {
    return `No live worker polls the ${name}; start one, and check that it polls this name and namespace.`;
  }
  const why = workers.some((worker) => worker.draining) ? "draining or shutting down" : "shutting down";
  return `The only live workers of the ${name} are ${why}; start one that polls it.`;
}

/** Nobody has these types. */
export function missingType(missing: readonly string[]): string {
  const named = missing.slice(0, typesInHint).map((type) => JSON.stringify(type));
  const more = missing.length > typesInHint ? ` and ${missing.length - typesInHint} more` : "";
  return `No live worker of this queue has registered ${named.join(", ")}${more}; start a worker that has, or check the spelling.`;
}

/** All are busy. */
export function noFreeSlots(workers: number): string {
  const who = workers === 1 ? "The live worker has" : `The ${workers} live workers have`;
  return `${who} no slot free; start more workers, or give them more slots.`;
}

/** As many are started as may be. */
export function maxStarted(max: number): string {
  return `As many tasks are started as max_started allows, ${max}; wait for some to end, or raise it.`;
}

/** The queue's rate is used up. */
export function rateLimited({ ratePerSecond }: TaskQueueConfig, { askedRate }: QueueActivity): string {
  if (ratePerSecond !== undefined) {
    return `The queue dispatches ${ratePerSecond} a second, as its rate_per_second says; wait, or raise it.`;
  }
  const rate = askedRate === undefined ? "no more for now" : `${askedRate} a second`;
  return `The queue dispatches ${rate}, the smallest rate that its workers ask for; wait, or set rate_per_second, which wins.`;
}

/** Fairness keys have as many started as they may. */
export function keyMaxStarted({ keys }: HeldBackKeys): string {
  return `${keysHave(keys)} as many tasks started as its max_started allows; wait for some to end, or raise it.`;
}

/** Fairness keys have used up their rate. */
export function keyRateLimited({ keys }: HeldBackKeys): string {
  return `${keysHave(keys)} used up its rate_per_second; wait, or raise it.`;
}

function keysHave(keys: number): string {
  return keys === 1 ? "A fairness key has" : `Each of ${keys} fairness keys has`;
}
