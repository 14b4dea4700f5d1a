import type { HeldTask, WorkerDescription } from "@tq/proto";
import { ago, momentAndAge } from "./age.ts";
import { fieldLines } from "./fields.ts";
import { queueName } from "./names.ts";
import { payloadText } from "./payload-value.ts";
import { printable } from "./printable.ts";
import type { DescriptionContext } from "./queue-description.ts";
import type { Cell, Column } from "./table.ts";
import { slotsText } from "./worker-slots.ts";

/** All that is known of a worker, for people. */
export function workerDescriptionLines(worker: WorkerDescription, { output, nowMs }: DescriptionContext): string[] {
  const { registrations, heldTasks, started } = worker;
  const fields = fieldLines(
    [
      ["worker", output.paint("heading", printable(worker.workerId))],
      ["state", stateText(worker)],
      ["identity", text(worker.identity)],
      ["build", text(worker.buildId)],
      ["first seen", momentAndAge(worker.firstSeen, nowMs)],
      ["last seen", momentAndAge(worker.lastSeen, nowMs)],
      ["slots used", worker.status && slotsText(worker.status)],
      ["queues", worker.taskQueues.map(queueName)],
      ["activity types", typesText(registrations?.activityTypes)],
      ["workflow types", typesText(registrations?.workflowTypes)],
      ["registered", registrations === undefined ? "nothing: it takes every type" : undefined],
      ["holds", started === 1 ? "1 task" : `${started} tasks`],
    ],
    output.paint,
  );
  if (heldTasks.length === 0) return fields;
  const rows = heldTasks.map((task) => heldTaskRow(task, nowMs));
  return [
    ...fields,
    "",
    output.paint("heading", heldTasks.length < started ? `The first ${heldTasks.length} of them` : "Its tasks"),
    ...output.tableLines(heldTaskColumns, rows).map((line) => `  ${line}`),
  ];
}

function stateText({ live, draining }: WorkerDescription): string {
  return `${live ? "live" : "gone: it has not called for 15 s"}${draining ? ", draining" : ""}`;
}

function typesText(types: readonly string[] | undefined): string | undefined {
  return types === undefined ? undefined : types.length === 0 ? "none" : types.map(printable).join(", ");
}

const heldTaskColumns: readonly Column[] = [
  { title: "ID" },
  { title: "QUEUE" },
  { title: "TYPE" },
  { title: "ATTEMPT", align: "right" },
  { title: "STARTED" },
  { title: "LAST HEARTBEAT" },
];

function heldTaskRow({ id, taskQueue, type, attempt, startedAt, heartbeatDetails }: HeldTask, nowMs: number): Cell[] {
  const heartbeat = heartbeatDetails === undefined ? undefined : payloadText(heartbeatDetails);
  return [id, queueName(taskQueue), type, attempt, ago(startedAt, nowMs), heartbeat];
}

function text(value: string): string | undefined {
  return value === "" ? undefined : printable(value);
}
