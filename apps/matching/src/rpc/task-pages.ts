import type { WaitingTasks } from "@tq/proto";
import { taskQueueKey } from "@tq/matching-core";
import type { Page, TaskFilter, TaskRecord } from "@tq/storage";
import { waitReasonsOfTask } from "../describe/wait-reasons.ts";
import type { Matching, QueueActivity } from "../matching/matching.ts";
import { toWaitingMessage } from "../translation/queue-message.ts";
import { estimateTaskBytes, type TaskDetail } from "../translation/task-message.ts";

/** How many tasks one page of a list looks at. */
const examinedPerPage = 10_000;
/** How much of their payloads it takes into memory. */
const bytesPerPage = 32 * 1024 * 1024;

/** How many of these tasks, from the first, go into a reply of so many bytes. One goes in whatever its size. */
export function fittingTasks(tasks: readonly TaskRecord[], detail: TaskDetail, maxBytes: number): number {
  let bytes = 0;
  for (const [i, task] of tasks.entries()) {
    bytes += estimateTaskBytes(task, detail);
    if (bytes > maxBytes && i > 0) return i;
  }
  return tasks.length;
}

/** A page of tasks that fits into a reply: shorter than asked for where the tasks are large. */
export async function pageOfTasks(
  reader: Matching["reader"],
  query: {
    readonly namespace: string;
    readonly filter: TaskFilter;
    readonly size: number;
    readonly after: string | undefined;
  },
  detail: TaskDetail,
  maxBytes: number,
): Promise<Page<TaskRecord>> {
  const after = query.after === undefined ? {} : { after: query.after };
  for (let size = query.size; ;) {
    const page = await reader.listTasks(query.namespace, query.filter, {
      size,
      ...after,
      examine: examinedPerPage,
      maxBytes: bytesPerPage,
    });
    const fitting = fittingTasks(page.items, detail, maxBytes);
    if (fitting === page.items.length) return page;
    // Only the store knows where a page ends, so it is asked again for as many as fit.
    size = fitting;
  }
}

/** Says why tasks wait, looking up each queue's workers once. */
export class TaskReasons {
  readonly #matching: Pick<Matching, "activityOf">;
  readonly #activities = new Map<string, QueueActivity>();

  constructor(matching: Pick<Matching, "activityOf">) {
    this.#matching = matching;
  }

  of(task: TaskRecord): WaitingTasks[] {
    if (task.state !== "scheduled" && task.state !== "ready") return [];
    const key = taskQueueKey(task.queue);
    let activity = this.#activities.get(key);
    if (activity === undefined) this.#activities.set(key, (activity = this.#matching.activityOf(task.queue)));
    return waitReasonsOfTask(task, activity).map(toWaitingMessage);
  }
}
