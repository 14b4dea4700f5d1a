import { ListNamespacesResponseSchema } from "@tq/proto";
import { Command } from "commander";
import { ExitCode } from "../exit-codes.ts";
import { ago } from "../output/age.ts";
import { messageJson } from "../output/message-json.ts";
import type { Invoke, Session } from "../session.ts";

/** `tq namespace ls`. */
export function namespaceLsCommand(invoke: Invoke): Command {
  const command = new Command("ls").summary("list the namespaces").description("List the namespaces.");
  return command.action(() => invoke(command, runNamespaceLs, {}));
}

async function runNamespaceLs(_options: object, session: Session): Promise<ExitCode> {
  const { client, output, signal } = session;
  const response = await client.services.operator.listNamespaces({}, { signal });
  if (output.format === "json") {
    output.json(messageJson(ListNamespacesResponseSchema, response));
  } else {
    const rows = response.namespaces.map(({ name, createdAt, description }) => [
      name,
      ago(createdAt, session.now()),
      description,
    ]);
    output.lines(output.tableLines([{ title: "NAMESPACE" }, { title: "CREATED" }, { title: "DESCRIPTION" }], rows));
  }
  return ExitCode.ok;
}
