import type { Page, TaskFilter, TaskRecord } from "@tq/storage";
import type { Matching } from "../matching/matching.ts";
import { estimateTaskBytes, type TaskDetail } from "../translation/task-message.ts";
import { fitting, pageThatFits } from "./fitting-page.ts";

/** How many tasks one page of a list looks at. */
const examinedPerPage = 10_000;
/** How much of their payloads it takes into memory. */
const bytesPerPage = 32 * 1024 * 1024;

/** A task and what of it goes into a reply. */
export interface ShownTask {
  readonly task: TaskRecord;
  /** Undefined: it is too large for any reply, and only named. */
  readonly detail: TaskDetail | undefined;
}

/**
 * What of each task goes into a reply of so many bytes: what is asked for, where one alone fits so; else not its input;
 * else not what is handed on either. How it closed comes last: callers wait for that.
 */
export function shownTasks(tasks: readonly TaskRecord[], detail: TaskDetail, maxBytes: number): ShownTask[] {
  const withoutInput = { ...detail, input: false, fallbackInput: false };
  const details = [detail, withoutInput, { ...withoutInput, handedOn: false }];
  return tasks.map((task) => ({
    task,
    detail: details.find((one) => estimateTaskBytes(task, one) <= maxBytes),
  }));
}

/** How many of these, from the first, go into a reply of so many bytes. At least one does. */
export function fittingTasks(shown: readonly ShownTask[], maxBytes: number): number {
  return fitting(shown, estimateShownBytes, maxBytes);
}

function estimateShownBytes({ task, detail }: ShownTask): number {
  return detail === undefined ? 3 * task.id.length + 4 : estimateTaskBytes(task, detail);
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
    (tasks) => fittingTasks(shownTasks(tasks, detail, maxBytes), maxBytes),
  );
}
