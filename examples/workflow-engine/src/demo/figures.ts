import type { Client } from "@tq/client";
import type { ReportPart } from "./workflows.ts";

/** What the server says of all tasks after the demo. */
export interface TaskFigures {
  readonly tasks: number;
  readonly attempts: number;
  /** Attempts beyond each task's first. */
  readonly redeliveries: number;
  /** Those that are not completed, in words: there should be none. */
  readonly notCompleted: readonly string[];
}

/** Counts the tasks that the server keeps. */
export async function countTasks(client: Client): Promise<TaskFigures> {
  let tasks = 0;
  let attempts = 0;
  let redeliveries = 0;
  const notCompleted: string[] = [];
  for await (const task of client.tasks.list({}, { pageSize: 1_000 })) {
    tasks++;
    attempts += task.attempt;
    redeliveries += Math.max(0, task.attempt - 1);
    if (task.state !== "COMPLETED") notCompleted.push(`task ${task.id} (${task.type}) is ${task.state}`);
  }
  return { tasks, attempts, redeliveries, notCompleted };
}

/** The value below which a share of the values lies; 0 to 1. */
function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

/** What a run of the demo came to. */
export interface RunFigures extends TaskFigures {
  /** Events of workflows that the engine had ready, and of those that it replayed first. */
  readonly runs: { readonly hits: number; readonly misses: number };
  readonly seconds: number;
  readonly latenciesMs: readonly number[];
}

/** What the demo prints at its end. */
export function summary(report: readonly ReportPart[], figures: RunFigures): string[] {
  const { tasks, attempts, redeliveries, runs, seconds, latenciesMs } = figures;
  const sum = (count: (part: ReportPart) => number) => report.reduce((total, part) => total + count(part), 0);
  const words = sum((part) => part.words);
  const headings = sum((part) => part.headings.length);
  const links = sum((part) => part.links.length);
  // Times are in whole milliseconds.
  const [p50, p99] = [0.5, 0.99].map((share) => percentile(latenciesMs, share) || "under 1");
  return [
    `report            ${report.length} files: ${words} words, ${headings} headings, ${links} links`,
    `tasks run         ${tasks} (activities and workflow tasks)`,
    `attempts          ${attempts}, of which ${redeliveries} redeliveries`,
    `tasks per second  ${(tasks / seconds).toFixed(0)} over ${seconds.toFixed(1)} s, with both kills and what they hold up`,
    `workflow events   ${runs.hits + runs.misses} after the first, of which ${runs.hits} found their workflow ready`,
    `dispatch latency  p50 ${p50} ms, p99 ${p99} ms (activities, from added to started)`,
  ];
}
