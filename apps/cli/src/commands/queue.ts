import { Command } from "commander";
import type { Dependencies } from "../dependencies.ts";
import type { Invoke } from "../session.ts";
import { queueConfigCommand } from "./queue-config.ts";
import { queueDescribeCommand } from "./queue-describe.ts";
import { queueDrainCommand } from "./queue-drain.ts";
import { queueLsCommand } from "./queue-ls.ts";
import { queuePauseCommand } from "./queue-pause.ts";
import { queueResumeCommand } from "./queue-resume.ts";
import { queueRmCommand } from "./queue-rm.ts";

/** `tq queue`. */
export function queueCommand(invoke: Invoke, { now }: Pick<Dependencies, "now">): Command {
  return new Command("queue")
    .summary("see and steer task queues")
    .description("See and steer task queues.")
    .addCommand(queueLsCommand(invoke))
    .addCommand(queueDescribeCommand(invoke))
    .addCommand(queueConfigCommand(invoke))
    .addCommand(queuePauseCommand(invoke, now))
    .addCommand(queueResumeCommand(invoke))
    .addCommand(queueDrainCommand(invoke))
    .addCommand(queueRmCommand(invoke));
}
