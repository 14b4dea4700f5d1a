import { Command } from "commander";
import type { Invoke } from "../session.ts";
import { workerDescribeCommand } from "./worker-describe.ts";
import { workerDrainCommand } from "./worker-drain.ts";
import { workerLsCommand } from "./worker-ls.ts";

/** `tq worker`. */
export function workerCommand(invoke: Invoke): Command {
  return new Command("worker")
    .summary("see and drain workers")
    .description("See and drain workers.")
    .addCommand(workerLsCommand(invoke))
    .addCommand(workerDescribeCommand(invoke))
    .addCommand(workerDrainCommand(invoke));
}
