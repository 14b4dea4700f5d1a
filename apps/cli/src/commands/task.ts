import { Command } from "commander";
import type { Dependencies } from "../dependencies.ts";
import type { Invoke } from "../session.ts";
import { taskAddCommand } from "./task-add.ts";
import { taskCancelCommand } from "./task-cancel.ts";
import { taskGetCommand } from "./task-get.ts";
import { taskLsCommand } from "./task-ls.ts";
import { taskMoveCommand } from "./task-move.ts";
import { taskPurgeCommand } from "./task-purge.ts";
import { taskRedriveCommand } from "./task-redrive.ts";
import { taskReleaseCommand } from "./task-release.ts";

/** `tq task`. */
export function taskCommand(invoke: Invoke, { now }: Pick<Dependencies, "now">): Command {
  return new Command("task")
    .summary("add, see, cancel and redrive tasks")
    .description("Add, see, cancel, redrive, move, release and purge tasks.")
    .addCommand(taskAddCommand(invoke))
    .addCommand(taskGetCommand(invoke))
    .addCommand(taskLsCommand(invoke, now))
    .addCommand(taskCancelCommand(invoke))
    .addCommand(taskRedriveCommand(invoke, now))
    .addCommand(taskMoveCommand(invoke, now))
    .addCommand(taskReleaseCommand(invoke, now))
    .addCommand(taskPurgeCommand(invoke, now));
}
