import type { Page, TaskFilter, TaskRecord } from "@tq/storage";
import type { Matching } from "../matching/matching.ts";
import { estimateTaskBytes, type TaskDetail } from "../translation/task-message.ts";
import { fitting, pageThatFits } from "./fitting-page.ts";

/** How many tasks one page of a list looks at. */
const examinedPerPage = 10_000;
/** How much of their payloads it takes into memory. */
const bytesPerPage = 32 * 1024 * 1024;

/** How many of these tasks, from the first, go into a reply of so many bytes. One goes in whatever its size. */
export function fittingTasks(tasks: readonly TaskRecord[], detail: TaskDetail, maxBytes: number): number {
  return fitting(tasks, (task) => estimateTaskBytes(task, detail), maxBytes);
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
  const { namespace, filter, after } = query;
  const limits = { examine: examinedPerPage, maxBytes: bytesPerPage, ...(after !== undefined && { after }) };
  return pageThatFits(
    query.size,
    (size) => reader.listTasks(namespace, filter, { size, ...limits }),
    (tasks) => fittingTasks(tasks, detail, maxBytes),
  );
}
