import { Command } from "commander";
import { type ActionFlags, addActionOptions } from "../arguments/action.ts";
import { type KindFlag, kindOption } from "../arguments/kind.ts";
import { ExitCode } from "../exit-codes.ts";
import { queueRef } from "../output/names.ts";
import { reportConfig } from "../output/queue-config.ts";
import { setEdit, type SettingValues } from "../queue-config/edit.ts";
import { addRevisionOption, type RevisionFlag } from "../queue-config/revision.ts";
import {
  keySettings,
  queueSettings,
  retrySettings,
  settingOption,
  type SettingValue,
} from "../queue-config/settings.ts";
import { addTargetOptions, type ConfigTarget, type TargetFlags, targetOf } from "../queue-config/target.ts";
import { updateConfig } from "../queue-config/update.ts";
import type { Invoke, Session } from "../session.ts";

interface QueueConfigSetFlags extends KindFlag, TargetFlags, RevisionFlag, ActionFlags {
  /** Settings, by the names that commander makes of their options. */
  readonly [setting: string]: unknown;
}

/** What `tq queue config set` was told. */
export interface QueueConfigSetOptions extends KindFlag, RevisionFlag, ActionFlags {
  readonly queue: string;
  readonly target: ConfigTarget;
  readonly values: SettingValues;
}

/** Each option once: some settings are both of a queue and of a key. */
const settings = [
  ...queueSettings,
  ...keySettings.filter(({ name }) => !queueSettings.some((other) => other.name === name)),
  ...retrySettings,
];

/** `tq queue config set`. */
export function queueConfigSetCommand(invoke: Invoke): Command {
  const command = new Command("set")
    .summary("set limits, retention and defaults of a queue")
    .description(
      "Set limits, retention and defaults of a queue, or with --key or --default-key the limits of fairness keys. What " +
        "is not named stays as it is; it takes effect at once. --key alone lists a key without limits, so that those " +
        "of the default key do not hold for it.",
    )
    .argument("<QUEUE>", "name of the queue, which need not exist")
    .addOption(kindOption("of the queue (default: activity)"));
  for (const setting of settings) command.addOption(settingOption(setting));
  addActionOptions(addRevisionOption(addTargetOptions(command)));
  return command.action((queue: string, flags: QueueConfigSetFlags) =>
    invoke(command, runQueueConfigSet, optionsOf(command, queue, flags)),
  );
}

function optionsOf(command: Command, queue: string, flags: QueueConfigSetFlags): QueueConfigSetOptions {
  const target = targetOf(flags);
  const allowed = target.of === "queue" ? [...queueSettings, ...retrySettings] : keySettings;
  const values: Record<string, SettingValue> = {};
  for (const setting of settings) {
    const option = settingOption(setting);
    const value = flags[option.attributeName()] as SettingValue | undefined;
    if (value === undefined) continue;
    if (!allowed.some(({ name }) => name === setting.name)) {
      const why = target.of === "queue" ? "needs --key or --default-key" : "is of the queue, and not of a fairness key";
      command.error(`error: option '${option.flags}' ${why}`);
    }
    values[setting.name] = value;
  }
  if (Object.keys(values).length === 0 && target.of !== "key") {
    command.error("error: nothing to set: give at least one setting, such as --rate 10");
  }
  const { kind, revision, reason, actor } = flags;
  return {
    queue,
    target,
    values,
    ...(kind !== undefined && { kind }),
    ...(revision !== undefined && { revision }),
    ...(reason !== undefined && { reason }),
    ...(actor !== undefined && { actor }),
  };
}

async function runQueueConfigSet(options: QueueConfigSetOptions, session: Session): Promise<ExitCode> {
  const { queue: name, kind = "activity", target, values, ...rest } = options;
  const queue = queueRef(name, kind);
  const { config } = await updateConfig({ ...rest, queue, edit: setEdit(target, values) }, session);
  reportConfig(queue, config, session.output);
  return ExitCode.ok;
}
