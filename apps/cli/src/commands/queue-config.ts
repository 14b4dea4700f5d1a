import { Command } from "commander";
import type { Invoke } from "../session.ts";
import { queueConfigGetCommand } from "./queue-config-get.ts";
import { queueConfigSetCommand } from "./queue-config-set.ts";
import { queueConfigUnsetCommand } from "./queue-config-unset.ts";

/** `tq queue config`. */
export function queueConfigCommand(invoke: Invoke): Command {
  return new Command("config")
    .summary("see and change what is set on a queue")
    .description("See and change what is set on a queue: limits, retention, defaults for its tasks, fairness keys.")
    .addCommand(queueConfigGetCommand(invoke))
    .addCommand(queueConfigSetCommand(invoke))
    .addCommand(queueConfigUnsetCommand(invoke));
}
