import { CreateNamespaceResponseSchema } from "@tq/proto";
import { Command } from "commander";
import { type ActionFlags, actionOf, addActionOptions } from "../arguments/action.ts";
import { ExitCode } from "../exit-codes.ts";
import { messageJson } from "../output/message-json.ts";
import { printable } from "../output/printable.ts";
import type { Invoke, Session } from "../session.ts";

interface NamespaceCreateFlags extends ActionFlags {
  readonly description?: string;
}

/** What `tq namespace create` was told. */
export interface NamespaceCreateOptions extends NamespaceCreateFlags {
  readonly name: string;
}

/** `tq namespace create`. */
export function namespaceCreateCommand(invoke: Invoke): Command {
  const command = new Command("create")
    .summary("create a namespace")
    .description("Create a namespace.")
    .argument("<NAME>", "1 to 100 of a-z, 0-9, -, _ and ., beginning with a letter or digit")
    .option("--description <text>", "what it is for");
  addActionOptions(command);
  return command.action((name: string, flags: NamespaceCreateFlags) =>
    invoke(command, runNamespaceCreate, { name, ...flags }),
  );
}

async function runNamespaceCreate(options: NamespaceCreateOptions, session: Session): Promise<ExitCode> {
  const { name, description = "" } = options;
  const { client, output, signal } = session;
  const request = { action: actionOf(options, session), name, description };
  const response = await client.services.operator.createNamespace(request, { signal });
  if (output.format === "json") output.json(messageJson(CreateNamespaceResponseSchema, response));
  else output.lines([printable(response.namespace?.name ?? name)]);
  return ExitCode.ok;
}
