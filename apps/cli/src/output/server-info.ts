import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { GetServerInfoResponse, ServerLimits, ServiceStatus } from "@tq/proto";
import { ago, humanDuration, momentAndAge } from "./age.ts";
import { type Field, fieldLines } from "./fields.ts";
import { printable } from "./printable.ts";
import type { DescriptionContext } from "./queue-description.ts";
import type { Cell, Column } from "./table.ts";

/** From here on a difference between two clocks is worth a line. */
const notableSkewMs = 5_000;

/** What a server is and how it does, for people. */
export function serverInfoLines(
  info: GetServerInfoResponse,
  { address, output, nowMs }: DescriptionContext & { readonly address: string },
): string[] {
  const skewMs = info.now === undefined ? 0 : timestampMs(info.now) - nowMs;
  // Ages are the server's own business, so they are told by its clock.
  const serverNowMs = nowMs + skewMs;
  const fields: Field[] = [
    ["version", printable(info.version)],
    ["address", printable(address)],
    ["started", momentAndAge(info.startedAt, serverNowMs)],
    ["instance", printable(info.instanceId)],
    ["storage", printable(info.storage)],
    ["epoch", String(info.epoch)],
    ["live workers", String(info.liveWorkers)],
    ["waiting polls", String(info.waitingPolls)],
    ["limits", info.limits && limitsText(info.limits)],
    ["clock", skewText(skewMs)],
  ];
  const services =
    info.services.length === 0
      ? []
      : ["", output.paint("heading", "Services"), ...serviceLines(info.services, { output, nowMs: serverNowMs })];
  return [...fieldLines(fields, output.paint), ...services];
}

function limitsText({ maxReplyBytes, maxRequestBytes, maxPayloadBytes, maxTasksPerAdd }: ServerLimits): string {
  return [
    `answers ${mebibytes(maxReplyBytes)}`,
    `requests ${mebibytes(maxRequestBytes)}`,
    `payloads ${mebibytes(maxPayloadBytes)}`,
    `${maxTasksPerAdd} tasks an add`,
  ].join(", ");
}

function mebibytes(bytes: number): string {
  return `${Math.round((bytes / 1_048_576) * 10) / 10} MiB`;
}

function skewText(skewMs: number): string | undefined {
  if (Math.abs(skewMs) < notableSkewMs) return undefined;
  return `${humanDuration(Math.abs(skewMs))} ${skewMs > 0 ? "ahead of" : "behind"} this machine's: ages shown here are off by that`;
}

const serviceColumns: readonly Column[] = [
  { title: "SERVICE" },
  { title: "STATE" },
  { title: "LAST PROGRESS" },
  { title: "LAST ERROR" },
];

function serviceLines(services: readonly ServiceStatus[], { output, nowMs }: DescriptionContext): string[] {
  const rows = services.map(({ name, running, lastProgress, lastError }): Cell[] => [
    name,
    running ? { text: "running", tone: "good" } : { text: "stopped", tone: "bad" },
    ago(lastProgress, nowMs),
    lastError === "" ? undefined : { text: lastError, tone: "bad" },
  ]);
  return output.tableLines(serviceColumns, rows).map((line) => `  ${line}`);
}
