import type { AddedTaskHandle, NewTask } from "@tq/client";
import { invalidField } from "@tq/client/internal";
import { Command, Option } from "commander";
import { durationArgument } from "../arguments/duration.ts";
import { jsonArgument, jsonFile } from "../arguments/json.ts";
import { listArgument, textArgument } from "../arguments/list.ts";
import { integerArgument, numberArgument } from "../arguments/number.ts";
import { headerArgument, onCloseArgument, type OnCloseTarget } from "../arguments/pair.ts";
import { waitOption } from "../arguments/wait.ts";
import { ExitCode } from "../exit-codes.ts";
import type { JsonText } from "../json-text.ts";
import { printable } from "../output/printable.ts";
import type { Invoke, Session } from "../session.ts";
import { reportClosing } from "../task-closing.ts";
import { waitForTasks } from "../wait.ts";

interface TaskAddFlags {
  readonly inputFile?: readonly string[];
  readonly workflow?: true;
  readonly id?: string;
  readonly idPolicy?: "reject" | "allow-if-dead" | "allow";
  readonly priority?: number;
  readonly fairnessKey?: string;
  readonly fairnessWeight?: number;
  readonly serialKey?: string;
  /** All durations are in milliseconds. */
  readonly delay?: number;
  readonly header?: Readonly<Record<string, string>>;
  readonly maxAttempts?: number;
  readonly startToClose?: number;
  readonly retention?: number;
  readonly onClose?: OnCloseTarget;
  /** Infinity waits for as long as it takes. */
  readonly wait?: number;
}

/** What `tq task add` was told. */
export interface TaskAddOptions extends TaskAddFlags {
  readonly queue: string;
  readonly type: string;
  readonly args: readonly JsonText[];
}

/** `tq task add`. */
export function taskAddCommand(invoke: Invoke): Command {
  const command = new Command("add")
    .alias("enqueue")
    .summary("add a task to a queue")
    .description(
      "Add a task to a queue, which need not exist before, and print its id. With --wait, print its result instead, " +
        "and exit 1 unless it completed; with -o json, the whole task.",
    )
    .argument("<QUEUE>", "name of the queue")
    .argument("<TYPE>", "which handler is to run it")
    .argument("[JSON...]", "the handler's arguments, each one JSON value")
    .option("--workflow", "to the workflow queue of that name (default: the activity queue)")
    .option(
      "--input-file <file>",
      "one more argument: the JSON value in a file, or in stdin if it is -; may be repeated",
      listArgument(textArgument),
    )
    .option("--id <id>", "id of the task; if a task with it is open, that one stands and nothing is added")
    .addOption(
      new Option(
        "--id-policy <policy>",
        "whether the id of a closed task that is kept may be used again (default: reject)",
      ).choices(["reject", "allow-if-dead", "allow"]),
    )
    .option("--priority <1-5>", "1 goes first (default: 3)", integerArgument({ min: 1, max: 5 }))
    .option("--fairness-key <key>", "whose share of the dispatch it counts against")
    .option("--fairness-weight <n>", "0.001 to 1000 (default: 1)", numberArgument({ min: 0.001, max: 1_000 }))
    .option("--serial-key <key>", "tasks of the queue with the same one run one at a time")
    .option("--delay <duration>", "not before so long from now, such as 10s", durationArgument)
    .option("--header <name=value>", "handed through to the handler; may be repeated", headerArgument)
    .option(
      "--max-attempts <n>",
      "attempts in all; 0: no limit (default: 25 for activities)",
      integerArgument({ min: 0, max: 0xffff_ffff }),
    )
    .option(
      "--start-to-close <duration>",
      "how long an attempt may take; 0s: no limit (default: 1h, workflow tasks 10s)",
      durationArgument,
    )
    .option("--retention <duration>", "how long it is kept once it has closed (default: the queue's)", durationArgument)
    .addOption(
      new Option("--on-close <queue:type>", "workflow task to add when this one closes").argParser(onCloseArgument),
    )
    .addOption(waitOption("wait until it has closed, or for so long at most"));
  return command.action((queue: string, type: string, json: readonly string[], flags: TaskAddFlags) =>
    invoke(command, runTaskAdd, { queue, type, args: json.map(jsonArgument), ...flags }),
  );
}

async function runTaskAdd(options: TaskAddOptions, session: Session): Promise<ExitCode> {
  const { client, output } = session;
  const task = await newTask(options, session);
  const added = await client.tasks.add(task);
  tellAdded(added, options, session);
  if (options.wait === undefined) {
    if (output.format === "json") {
      output.json({ id: added.id, run: added.run, existed: added.existed, warnings: added.warnings });
    } else {
      output.lines([printable(added.id)]);
    }
    return ExitCode.ok;
  }
  const found = await waitForTasks([added.id], session, { waitMs: options.wait, isReached: true });
  return reportClosing(added.id, found, session);
}

async function newTask(options: TaskAddOptions, session: Session): Promise<NewTask> {
  const { inputFile = [], onClose } = options;
  if (inputFile.filter((file) => file === "-").length > 1) {
    throw invalidField("--input-file", "stdin can be read once");
  }
  const fromFiles: JsonText[] = [];
  for (const file of inputFile) fromFiles.push(await jsonFile(file, session.stdin));
  return {
    taskQueue: options.queue,
    kind: options.workflow === true ? "workflow" : "activity",
    type: options.type,
    args: [...options.args, ...fromFiles],
    ...(options.id !== undefined && { id: options.id }),
    ...(options.idPolicy !== undefined && { idPolicy: options.idPolicy }),
    ...(options.priority !== undefined && { priority: options.priority }),
    ...(options.fairnessKey !== undefined && { fairnessKey: options.fairnessKey }),
    ...(options.fairnessWeight !== undefined && { fairnessWeight: options.fairnessWeight }),
    ...(options.serialKey !== undefined && { serialKey: options.serialKey }),
    ...(options.delay !== undefined && { startDelay: options.delay }),
    ...(options.header !== undefined && { headers: options.header }),
    ...(options.maxAttempts !== undefined && { retry: { maximumAttempts: options.maxAttempts } }),
    ...(options.startToClose !== undefined && { startToCloseTimeout: options.startToClose }),
    ...(options.retention !== undefined && { retention: options.retention }),
    ...(onClose !== undefined && { onClose }),
  };
}

function tellAdded({ id, existed, warnings }: AddedTaskHandle, options: TaskAddOptions, session: Session): void {
  const { output } = session;
  if (existed) output.message(`Task ${printable(id)} is open already: nothing was added.`);
  for (const warning of warnings) {
    switch (warning) {
      case "NO_WORKER_FOR_TYPE":
        output.message(
          `Warning: no live worker of ${printable(options.queue)} has registered ${JSON.stringify(options.type)}. ` +
            "The task waits for one that has; check the spelling.",
        );
    }
  }
  if (options.wait !== undefined) {
    output.message(
      `${existed ? "Waiting for" : "Added"} ${printable(id)}${existed ? "." : "; waiting for it to close."}`,
    );
  }
}
