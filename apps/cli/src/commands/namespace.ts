import { Command } from "commander";
import type { Invoke } from "../session.ts";
import { namespaceCreateCommand } from "./namespace-create.ts";
import { namespaceDescribeCommand } from "./namespace-describe.ts";
import { namespaceLsCommand } from "./namespace-ls.ts";

/** `tq namespace`. */
export function namespaceCommand(invoke: Invoke): Command {
  return new Command("namespace")
    .summary("create and see namespaces")
    .description("Create and see namespaces, the spaces of names for tasks and queues.")
    .addCommand(namespaceCreateCommand(invoke))
    .addCommand(namespaceLsCommand(invoke))
    .addCommand(namespaceDescribeCommand(invoke));
}
