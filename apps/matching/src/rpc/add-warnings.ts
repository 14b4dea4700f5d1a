import type { NewTask } from "@tq/storage";
import { AddWarning } from "@tq/proto";
import { takesType } from "../describe/wait-reasons.ts";
import type { Matching } from "../matching/matching.ts";

/**
 * For each task of a batch, what is worth a look: that its queue has live workers of which none has its type. Batches are
 * mostly of few queues and types, so each is looked up once.
 */
export function addWarnings(tasks: readonly NewTask[], matching: Pick<Matching, "workersOf">): AddWarning[][] {
  const verdicts = new Map<string, AddWarning[]>();
  let last: NewTask | undefined;
  let verdict: AddWarning[] = [];
  return tasks.map((task) => {
    if (last?.type === task.type && last.queue.name === task.queue.name && last.queue.kind === task.queue.kind) {
      return verdict;
    }
    last = task;
    const key = `${task.queue.kind}/${task.queue.name}\u0000${task.type}`;
    verdict = verdicts.get(key) ?? verdictOn(task, matching);
    verdicts.set(key, verdict);
    return verdict;
  });
}

function verdictOn({ queue, type }: NewTask, matching: Pick<Matching, "workersOf">): AddWarning[] {
  const workers = matching.workersOf(queue.namespace, queue);
  if (workers.length === 0 || workers.some((worker) => takesType(worker, queue.kind, type))) return [];
  return [AddWarning.NO_WORKER_FOR_TYPE];
}
