import { type Event, EventSchema, TaskQueueKind, type TaskQueueRef } from "@tq/proto";
import { Command } from "commander";
import { type KindFlag, kindOption, refuseKindWithoutQueue } from "../arguments/kind.ts";
import { integerArgument } from "../arguments/number.ts";
import { filledArgument } from "../arguments/text.ts";
import { ExitCode } from "../exit-codes.ts";
import { ago } from "../output/age.ts";
import { messageJson } from "../output/message-json.ts";
import { queueName, queueRef } from "../output/names.ts";
import type { Cell, Column } from "../output/table.ts";
import type { Invoke, Session } from "../session.ts";

interface EventsFlags extends KindFlag {
  readonly queue?: string;
  readonly limit: number;
}

/** What `tq events` was told. */
export interface EventsOptions extends KindFlag {
  readonly queue?: string;
  /** Most events to list; infinity is all of them. */
  readonly limit: number;
}

/** `tq events`. */
export function eventsCommand(invoke: Invoke): Command {
  const command = new Command("events")
    .summary("list what operators did: who, when, why")
    .description("List what operators did, newest first: who, when, why, and how many tasks it changed.")
    .option("--queue <name>", "only what was done to this queue", filledArgument)
    .addOption(kindOption("of this kind (with --queue)"))
    .option("--limit <n>", "at most so many; 0: all", integerArgument({ min: 0, max: Number.MAX_SAFE_INTEGER }), 100);
  return command.action((flags: EventsFlags) => {
    refuseKindWithoutQueue(command, flags);
    return invoke(command, runEvents, { ...flags, limit: flags.limit === 0 ? Number.POSITIVE_INFINITY : flags.limit });
  });
}

async function runEvents(options: EventsOptions, session: Session): Promise<ExitCode> {
  const { output } = session;
  const { events, more } = await firstEvents(options, session);
  if (output.format === "json") {
    output.json({ events: events.map((event) => messageJson(EventSchema, event)), more });
  } else if (events.length > 0) {
    const rows = events.map((event) => row(event, session.now()));
    output.lines(output.tableLines(columns, rows));
  } else {
    output.message("No events: operators have changed nothing.");
  }
  if (more) output.message(`There may be more than these ${options.limit}: raise --limit.`);
  return ExitCode.ok;
}

interface FirstEvents {
  readonly events: readonly Event[];
  readonly more: boolean;
}

async function firstEvents({ queue, kind, limit }: EventsOptions, session: Session): Promise<FirstEvents> {
  const { client, globals, signal } = session;
  const events: Event[] = [];
  let pageToken = "";
  do {
    const request = {
      namespace: globals.namespace,
      ...(queue !== undefined && { taskQueue: queueRef(queue, kind) }),
      pageSize: Math.min(limit - events.length, 1_000),
      pageToken,
    };
    const page = await client.services.operator.listEvents(request, { signal });
    events.push(...page.events);
    pageToken = page.nextPageToken;
  } while (pageToken !== "" && events.length < limit);
  return { events, more: pageToken !== "" };
}

const columns: readonly Column[] = [
  { title: "WHEN" },
  { title: "WHO" },
  { title: "WHAT" },
  { title: "OF" },
  { title: "TASKS", align: "right" },
  { title: "WHY" },
];

function row({ at, actor, call, taskQueue, workerId, changed, reason }: Event, nowMs: number): Cell[] {
  return [ago(at, nowMs), actor, call, subject(taskQueue, workerId), changed === 0n ? undefined : changed, reason];
}

function subject(queue: TaskQueueRef | undefined, workerId: string): string | undefined {
  if (queue === undefined) return workerId;
  return queue.kind === TaskQueueKind.UNSPECIFIED ? queue.name : queueName(queue);
}
