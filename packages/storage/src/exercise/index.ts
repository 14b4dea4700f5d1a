/*
 * The exercising suite: what a storage engine has to do, as tests. An engine's spec calls `exerciseStore` with a harness;
 * the engine is done when they pass. One file for each noun of the contract.
 */
import { adds } from "./adds.ts";
import { answers } from "./answers.ts";
import { atomicity } from "./atomicity.ts";
import { cancels } from "./cancels.ts";
import { changes } from "./changes.ts";
import { claims } from "./claims.ts";
import { commands } from "./commands.ts";
import { deleteQueue } from "./delete-queue.ts";
import { describing } from "./describe.ts";
import { epochs } from "./epochs.ts";
import { events } from "./events.ts";
import { expire } from "./expire.ts";
import { fallbacks } from "./fallback.ts";
import type { Harness } from "./harness.ts";
import { leases } from "./leases.ts";
import { limits } from "./limits.ts";
import { limitsAtRandom } from "./limits-at-random.ts";
import { lists } from "./lists.ts";
import { onCloseTasks } from "./on-close.ts";
import { order } from "./order.ts";
import { promote } from "./promote.ts";
import { reopening } from "./reopening.ts";
import { repolls } from "./repolls.ts";
import { requestIds } from "./request-ids.ts";
import { retries } from "./retries.ts";
import { returns } from "./returns.ts";
import { serialKeys } from "./serial-keys.ts";
import { settings } from "./settings.ts";
import { shares } from "./shares.ts";
import { sweep } from "./sweep.ts";
import { timeouts } from "./timeouts.ts";

export { activities, bytes, Driver, failure, newTask, start, text, workflows, type SomeTask } from "./driver.ts";
export type { Harness, StoreHome, StoreTest } from "./harness.ts";
export { exerciseAtRandom, type RandomExercise } from "./random/index.ts";

const chapters: readonly ((harness: Harness) => void)[] = [
  adds,
  claims,
  leases,
  answers,
  retries,
  serialKeys,
  onCloseTasks,
  commands,
  requestIds,
  repolls,
  returns,
  cancels,
  promote,
  expire,
  timeouts,
  fallbacks,
  sweep,
  order,
  shares,
  limits,
  limitsAtRandom,
  settings,
  changes,
  deleteQueue,
  events,
  reopening,
  epochs,
  describing,
  lists,
  atomicity,
];

/** Puts an engine through the whole suite. Call it at the top level of a spec. */
export function exerciseStore(harness: Harness): void {
  for (const exercise of chapters) exercise(harness);
}
