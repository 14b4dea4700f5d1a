import { Command } from "commander";
import type { Invoke } from "../session.ts";
import { queueDescribeCommand } from "./queue-describe.ts";
import { queueLsCommand } from "./queue-ls.ts";

/** `tq queue`. */
export function queueCommand(invoke: Invoke): Command {
  return new Command("queue")
    .summary("see task queues")
    .description("See task queues.")
    .addCommand(queueLsCommand(invoke))
    .addCommand(queueDescribeCommand(invoke));
}
