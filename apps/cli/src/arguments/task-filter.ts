import { create, equals } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { TaskStateName } from "@tq/client";
import { type TaskFilter, TaskFilterSchema, TaskState } from "@tq/proto";
import type { Command } from "commander";
import { kindNumber } from "../output/names.ts";
import { kindOption, refuseKindWithoutQueue } from "./kind.ts";
import { listArgument, textArgument } from "./list.ts";
import { momentArgument } from "./moment.ts";
import { integerArgument } from "./number.ts";
import { stateNames, taskStateArgument } from "./task-state.ts";
import { filledArgument, onlyFilledArgument } from "./text.ts";

/** Which tasks: the options of every command that picks them by what they are. */
export interface TaskFilterFlags {
  readonly queue?: string;
  readonly kind?: "activity" | "workflow";
  readonly state?: readonly TaskStateName[];
  readonly type?: readonly string[];
  readonly idPrefix?: string;
  readonly worker?: string;
  readonly buildId?: string;
  readonly priority?: readonly number[];
  readonly fairnessKey?: readonly string[];
  readonly serialKey?: readonly string[];
  readonly addedAfter?: Date;
  readonly addedBefore?: Date;
  readonly closedAfter?: Date;
  readonly closedBefore?: Date;
  readonly failureType?: string;
  readonly failureText?: string;
}

/** What the help says of the filters as a whole. */
export const filterHelp =
  "All filters that are given must hold; of one that is repeated, one value. " +
  "A time is ISO 8601, or a length of time that counts back from now.";

/** Gives a command the options that pick tasks. */
export function addTaskFilterOptions(command: Command, now: () => number): Command {
  const moment = momentArgument(now);
  return command
    .option("--queue <name>", "of this queue", onlyFilledArgument)
    .addOption(kindOption("of this kind (with --queue)"))
    .option("--state <state>", `${stateNames.join(", ")}; may be repeated`, taskStateArgument)
    .option("--type <type>", "of this type; may be repeated", listArgument(filledArgument))
    .option("--id-prefix <text>", "whose id begins so", onlyFilledArgument)
    .option("--worker <id>", "held by this worker", onlyFilledArgument)
    .option("--build-id <id>", "held by a worker of this build", onlyFilledArgument)
    .option("--priority <1-5>", "of this priority; may be repeated", listArgument(integerArgument({ min: 1, max: 5 })))
    .option("--fairness-key <key>", "with this fairness key; may be repeated", listArgument(textArgument))
    .option("--serial-key <key>", "with this serial key; may be repeated", listArgument(textArgument))
    .option("--added-after <time>", "added after it", moment)
    .option("--added-before <time>", "added before it", moment)
    .option("--closed-after <time>", "closed after it", moment)
    .option("--closed-before <time>", "closed before it", moment)
    .option("--failure-type <type>", "whose last failure has this type", onlyFilledArgument)
    .option("--failure-text <text>", "whose last failure's message has this text in it", onlyFilledArgument);
}

/** The contract's filter of what `command` was told, and of ids besides. Refuses what makes no sense together. */
export function taskFilterOf(command: Command, flags: TaskFilterFlags, ids: readonly string[] = []): TaskFilter {
  refuseKindWithoutQueue(command, flags);
  const { queue, addedAfter, addedBefore, closedAfter, closedBefore } = flags;
  return create(TaskFilterSchema, {
    ...(queue !== undefined && { taskQueue: { name: queue, kind: kindNumber(flags.kind) } }),
    states: (flags.state ?? []).map((state) => TaskState[state]),
    types: [...(flags.type ?? [])],
    idPrefix: flags.idPrefix ?? "",
    workerId: flags.worker ?? "",
    buildId: flags.buildId ?? "",
    priorities: [...(flags.priority ?? [])],
    fairnessKeys: [...(flags.fairnessKey ?? [])],
    serialKeys: [...(flags.serialKey ?? [])],
    ...(addedAfter !== undefined && { addedAfter: timestampFromDate(addedAfter) }),
    ...(addedBefore !== undefined && { addedBefore: timestampFromDate(addedBefore) }),
    ...(closedAfter !== undefined && { closedAfter: timestampFromDate(closedAfter) }),
    ...(closedBefore !== undefined && { closedBefore: timestampFromDate(closedBefore) }),
    failureType: flags.failureType ?? "",
    failureText: flags.failureText ?? "",
    ids: [...new Set(ids)],
  });
}

/** Whether a filter holds for every task. */
export function isEmptyFilter(filter: TaskFilter): boolean {
  return equals(TaskFilterSchema, filter, create(TaskFilterSchema));
}
