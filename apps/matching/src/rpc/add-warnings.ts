import { taskQueueKey } from "@tq/matching-core";
import { AddWarning } from "@tq/proto";
import type { NewTask } from "@tq/storage";
import { takesType } from "../describe/wait-reasons.ts";
import type { Matching } from "../matching/matching.ts";

/** How long it is taken for granted that a type has a worker. A worker counts as live for 15 s after its last call anyway. */
const trustedMs = 1_000;
/** Types held at most; then it begins anew. */
const maxTrusted = 10_000;

/**
 * Finds tasks whose queue has live workers of which none has their type. That a type has one is kept for a second, so
 * that looking through the workers costs little per task; that it has none is looked up each time, so that a warning is
 * never stale.
 */
export class AddWarnings {
  readonly #matching: Pick<Matching, "now" | "activityOf">;
  readonly #trustedUntil = new Map<string, number>();

  constructor(matching: Pick<Matching, "now" | "activityOf">) {
    this.#matching = matching;
  }

  /** For each task of a batch, what is worth a look. */
  of(tasks: readonly NewTask[]): AddWarning[][] {
    const now = this.#matching.now();
    const verdicts = new Map<string, AddWarning[]>();
    let lastTask: NewTask | undefined;
    let lastVerdict: AddWarning[] = [];
    return tasks.map((task) => {
      // Batches are mostly of one type and queue: then no key is put together.
      if (
        lastTask?.type === task.type &&
        lastTask.queue.name === task.queue.name &&
        lastTask.queue.kind === task.queue.kind
      ) {
        return lastVerdict;
      }
      const key = `${taskQueueKey(task.queue)}\u0000${task.type}`;
      let verdict = verdicts.get(key);
      if (verdict === undefined) verdicts.set(key, (verdict = this.#verdict(task, key, now)));
      lastTask = task;
      lastVerdict = verdict;
      return verdict;
    });
  }

  #verdict(task: NewTask, key: string, now: number): AddWarning[] {
    if ((this.#trustedUntil.get(key) ?? 0) > now) return [];
    const { workers } = this.#matching.activityOf(task.queue);
    if (workers.length === 0) return [];
    if (!workers.some((worker) => takesType(worker, task.queue.kind, task.type)))
      return [AddWarning.NO_WORKER_FOR_TYPE];
    if (this.#trustedUntil.size >= maxTrusted) this.#trustedUntil.clear();
    this.#trustedUntil.set(key, now + trustedMs);
    return [];
  }
}
