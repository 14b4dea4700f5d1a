import { Command } from "commander";
import { type ActionFlags, addActionOptions } from "../arguments/action.ts";
import { type KindFlag, kindOption } from "../arguments/kind.ts";
import { ExitCode } from "../exit-codes.ts";
import { queueName, queueRef } from "../output/names.ts";
import { reportConfig } from "../output/queue-config.ts";
import { groupNames, unsetEdit } from "../queue-config/edit.ts";
import { addRevisionOption, type RevisionFlag } from "../queue-config/revision.ts";
import { keySettings, queueSettings, retrySettings } from "../queue-config/settings.ts";
import { addTargetOptions, type ConfigTarget, type TargetFlags, targetOf } from "../queue-config/target.ts";
import { updateConfig } from "../queue-config/update.ts";
import type { Invoke, Session } from "../session.ts";

interface QueueConfigUnsetFlags extends KindFlag, TargetFlags, RevisionFlag, ActionFlags {}

/** What `tq queue config unset` was told. */
export interface QueueConfigUnsetOptions extends KindFlag, RevisionFlag, ActionFlags {
  readonly queue: string;
  readonly target: ConfigTarget;
  /** Of a fairness key, none: all of it. */
  readonly fields: readonly string[];
}

const namesOf = (settings: readonly { readonly name: string }[]) => settings.map(({ name }) => name);
const queueNames = [...namesOf(queueSettings), ...namesOf(retrySettings), ...Object.keys(groupNames)];
const keyNames = namesOf(keySettings);

/** `tq queue config unset`. */
export function queueConfigUnsetCommand(invoke: Invoke): Command {
  const command = new Command("unset")
    .summary("put settings of a queue back to their defaults")
    .description(
      "Put settings of a queue back to their defaults; with --key or --default-key, those of fairness keys, and all of " +
        `them if no field is named. Fields of a queue: ${queueNames.join(", ")} (retries: the whole retry policy; keys: ` +
        `all single fairness keys). Fields of a key: ${keyNames.join(", ")}.`,
    )
    .argument("<QUEUE>", "name of the queue")
    .argument("[FIELD...]", "what to unset, by the names of the options of `config set`")
    .addOption(kindOption("of the queue (default: activity)"));
  addActionOptions(addRevisionOption(addTargetOptions(command)));
  return command.action((queue: string, fields: readonly string[], flags: QueueConfigUnsetFlags) =>
    invoke(command, runQueueConfigUnset, optionsOf(command, { queue, fields }, flags)),
  );
}

function optionsOf(
  command: Command,
  { queue, fields }: Pick<QueueConfigUnsetOptions, "queue" | "fields">,
  { key, defaultKey, ...flags }: QueueConfigUnsetFlags,
): QueueConfigUnsetOptions {
  const target = targetOf({ ...(key !== undefined && { key }), ...(defaultKey && { defaultKey }) });
  const known = target.of === "queue" ? queueNames : keyNames;
  const unknown = fields.find((field) => !known.includes(field));
  if (unknown !== undefined) {
    const whose = target.of === "queue" ? "a queue" : "a fairness key";
    command.error(`error: argument 'FIELD': ${whose} has no ${unknown}. There are ${known.join(", ")}.`);
  }
  if (fields.length === 0 && target.of === "queue") {
    command.error(`error: nothing to unset: name fields. There are ${known.join(", ")}.`);
  }
  return { queue, target, fields, ...flags };
}

async function runQueueConfigUnset(options: QueueConfigUnsetOptions, session: Session): Promise<ExitCode> {
  const { queue: name, kind = "activity", target, fields, ...rest } = options;
  const { output } = session;
  const queue = queueRef(name, kind);
  const { config, isChanged } = await updateConfig({ ...rest, queue, edit: unsetEdit(target, fields) }, session);
  if (!isChanged) output.message(`Nothing is set for that fairness key of ${queueName(queue)}.`);
  reportConfig(queue, config, output);
  return ExitCode.ok;
}
