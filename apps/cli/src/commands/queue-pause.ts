import { type Timestamp, timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { PauseTaskQueueResponseSchema } from "@tq/proto";
import { Command, Option } from "commander";
import { addActionOptions } from "../arguments/action.ts";
import { positiveDurationArgument } from "../arguments/duration.ts";
import { kindOption } from "../arguments/kind.ts";
import { type OneQueueFlags, type OneQueueOptions, oneQueueRequestOf } from "../arguments/one-queue.ts";
import { futureMomentArgument } from "../arguments/moment.ts";
import { ExitCode } from "../exit-codes.ts";
import { messageJson } from "../output/message-json.ts";
import { queueText } from "../output/names.ts";
import { pauseText } from "../output/steering.ts";
import type { Invoke, Session } from "../session.ts";

interface QueuePauseFlags extends OneQueueFlags {
  readonly until?: Date;
  /** Milliseconds. */
  readonly for?: number;
}

/** What `tq queue pause` was told. */
export interface QueuePauseOptions extends QueuePauseFlags, OneQueueOptions {}

/** `tq queue pause`. */
export function queuePauseCommand(invoke: Invoke, now: () => number): Command {
  const command = new Command("pause")
    .summary("stop dispatch of a queue")
    .description(
      "Stop dispatch of a queue. Adds go on, and what is started goes on. A pause of a queue that is paused replaces its " +
        "end and its reason.",
    )
    .argument("<QUEUE>", "name of the queue, which need not exist")
    .addOption(kindOption("only this kind (default: both kinds of the name)"))
    .addOption(
      new Option("--until <time>", "when dispatch goes on by itself, in ISO 8601 (default: not before `queue resume`)")
        .argParser(futureMomentArgument(now))
        .conflicts("for"),
    )
    .option("--for <duration>", "after so long dispatch goes on by itself", positiveDurationArgument);
  addActionOptions(command);
  return command.action((queue: string, flags: QueuePauseFlags) => invoke(command, runQueuePause, { queue, ...flags }));
}

async function runQueuePause(options: QueuePauseOptions, session: Session): Promise<ExitCode> {
  const { queue, kind } = options;
  const { client, output, signal } = session;
  const until = await endOf(options, session);
  const request = { ...oneQueueRequestOf(options, session), ...(until !== undefined && { until }) };
  const response = await client.services.operator.pauseTaskQueue(request, { signal });
  if (output.format === "json") {
    output.json(messageJson(PauseTaskQueueResponseSchema, response));
  } else {
    const { pause } = response;
    output.lines([
      `${queueText(queue, kind)} is paused ${pause === undefined ? "" : pauseText(pause, session.now())}`.trimEnd(),
    ]);
  }
  return ExitCode.ok;
}

/** When the pause ends. A length of time counts from the server's now, whose clock need not agree with this one. */
async function endOf(options: QueuePauseFlags, { client, now, signal }: Session): Promise<Timestamp | undefined> {
  if (options.until !== undefined) return timestampFromMs(options.until.getTime());
  if (options.for === undefined) return undefined;
  const { now: serverNow } = await client.services.operator.getServerInfo({}, { signal });
  return timestampFromMs((serverNow === undefined ? now() : timestampMs(serverNow)) + options.for);
}
