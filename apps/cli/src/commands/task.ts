import { Command } from "commander";
import type { Dependencies } from "../dependencies.ts";
import type { Invoke } from "../session.ts";
import { taskAddCommand } from "./task-add.ts";
import { taskCancelCommand } from "./task-cancel.ts";
import { taskGetCommand } from "./task-get.ts";
import { taskLsCommand } from "./task-ls.ts";

/** `tq task`. */
export function taskCommand(invoke: Invoke, { now }: Pick<Dependencies, "now">): Command {
  return new Command("task")
    .summary("add, see and cancel tasks")
    .description("Add, see and cancel tasks.")
    .addCommand(taskAddCommand(invoke))
    .addCommand(taskGetCommand(invoke))
    .addCommand(taskLsCommand(invoke, now))
    .addCommand(taskCancelCommand(invoke));
}
