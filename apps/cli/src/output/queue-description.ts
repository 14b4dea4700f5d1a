import type { RegistrationDifference, TaskCounts, TaskQueueDescription, WaitingTasks, WorkerSummary } from "@tq/proto";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { ago, humanDuration, humanDurationOf } from "./age.ts";
import { type Field, fieldLines } from "./fields.ts";
import { queueName, reasonName } from "./names.ts";
import type { Output } from "./output.ts";
import { printable } from "./printable.ts";
import { configFields } from "./queue-config.ts";
import { drainText, pauseText } from "./steering.ts";
import type { Cell, Column } from "./table.ts";
import { slotsText } from "./worker-slots.ts";

/** How a description is shown. */
export interface DescriptionContext {
  readonly output: Output;
  readonly nowMs: number;
}

/** All that is known of a queue, for people. */
export function queueDescriptionLines(queue: TaskQueueDescription, context: DescriptionContext): string[] {
  const { output } = context;
  const title = output.paint("heading", queueName(queue.taskQueue));
  if (isEmpty(queue)) return [`${title}: nothing open or dead, no live workers, nothing configured`];
  return [
    title,
    ...fieldLines(mainFields(queue, context), output.paint),
    ...section(
      "Why tasks wait",
      queue.reasons.flatMap((reason) => reasonLines(reason, context)),
      output,
    ),
    ...tableSection("By type", countColumns("TYPE"), countRows(queue.countsByType), output),
    ...tableSection("By priority", countColumns("PRIORITY"), countRows(queue.countsByPriority), output),
    ...tableSection(
      "Live workers",
      workerColumns,
      queue.workers.map((worker) => workerRow(worker, context)),
      output,
    ),
    ...tableSection(
      "Registration differences",
      differenceColumns,
      queue.registrationDifferences.map((difference) => differenceRow(difference, queue.workers)),
      output,
    ),
  ];
}

function isEmpty({
  counts,
  workers,
  config,
  pause,
  drain,
  reasons,
  registrationDifferences,
}: TaskQueueDescription): boolean {
  const tasks = counts === undefined ? 0n : counts.ready + counts.scheduled + counts.started + counts.dead;
  const isConfigured = config !== undefined && configFields(config).length > 0;
  const isSteered = pause !== undefined || drain !== undefined || isConfigured;
  return tasks === 0n && workers.length + reasons.length + registrationDifferences.length === 0 && !isSteered;
}

function mainFields(queue: TaskQueueDescription, { nowMs }: DescriptionContext): Field[] {
  const { counts, pause, drain } = queue;
  return [
    [
      "tasks",
      `${counts?.ready ?? 0} ready, ${counts?.scheduled ?? 0} scheduled, ${counts?.started ?? 0} started, ${counts?.dead ?? 0} dead`,
    ],
    ["oldest ready", humanDurationOf(queue.oldestReadyAge)],
    ["rates", `${rate(queue.addsPerSecond)} added, ${rate(queue.dispatchesPerSecond)} dispatched (over 30 s)`],
    ["wanted slots", `${queue.wantedSlots}`],
    ["paused", pause && pauseText(pause, nowMs)],
    ["refuses adds", drain && drainText(drain, nowMs)],
    ...(queue.config === undefined ? [] : configFields(queue.config)),
    ["live workers", queue.workers.length === 0 ? "none" : undefined],
  ];
}

function rate(perSecond: number): string {
  return `${Math.round(perSecond * 10) / 10}/s`;
}

function reasonLines({ reason, count, since, hint }: WaitingTasks, { output, nowMs }: DescriptionContext): string[] {
  const tasks = count === 0n ? "" : ` ${count} ${count === 1n ? "task" : "tasks"}`;
  const waited = since === undefined ? "" : `, for ${humanDuration(nowMs - timestampMs(since))}`;
  return [
    `${output.paint("warning", reasonName(reason))}${tasks}${waited}`,
    ...(hint === "" ? [] : [`  ${printable(hint)}`]),
  ];
}

function countColumns(title: string): readonly Column[] {
  const counts = ["READY", "SCHEDULED", "STARTED", "DEAD"];
  return [{ title }, ...counts.map((name) => ({ title: name, align: "right" as const }))];
}

function countRows(counts: Readonly<Record<string, TaskCounts>>): Cell[][] {
  return Object.entries(counts)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, { ready, scheduled, started, dead }]) => [name, ready, scheduled, started, dead]);
}

const workerColumns: readonly Column[] = [
  { title: "WORKER" },
  { title: "IDENTITY" },
  { title: "BUILD" },
  { title: "FREE", align: "right" },
  { title: "STARTED", align: "right" },
  { title: "SLOTS USED" },
  { title: "LAST SEEN" },
  { title: "NOTE" },
];

function workerRow(worker: WorkerSummary, { nowMs }: DescriptionContext): Cell[] {
  const { workerId, identity, buildId, freeSlots, started, draining, status } = worker;
  const slots = status && slotsText(status);
  const note: Cell = draining ? { text: "draining", tone: "warning" } : undefined;
  return [workerId, identity, buildId, freeSlots, started, slots, ago(worker.lastSeen, nowMs), note];
}

const differenceColumns: readonly Column[] = [{ title: "TYPE" }, { title: "HAVE IT" }, { title: "HAVE IT NOT" }];

function differenceRow(
  { type, workerIdsWith, workerIdsWithout }: RegistrationDifference,
  workers: readonly WorkerSummary[],
): Cell[] {
  const nameOf = (id: string): string => {
    const worker = workers.find(({ workerId }) => workerId === id);
    const about = [worker?.identity, worker?.buildId].filter((part) => part !== undefined && part !== "");
    return about.length === 0 ? id : `${id} (${about.join(", ")})`;
  };
  return [
    type,
    workerIdsWith.map(nameOf).join(", "),
    { text: workerIdsWithout.map(nameOf).join(", ") || "none", tone: "warning" },
  ];
}

function tableSection(title: string, columns: readonly Column[], rows: readonly Cell[][], output: Output): string[] {
  return rows.length === 0 ? [] : section(title, output.tableLines(columns, rows), output);
}

function section(title: string, lines: readonly string[], output: Output): string[] {
  return lines.length === 0 ? [] : ["", output.paint("heading", title), ...lines.map((line) => `  ${line}`)];
}
