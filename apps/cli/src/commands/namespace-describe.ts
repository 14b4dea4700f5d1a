import { type DescribeNamespaceResponse, DescribeNamespaceResponseSchema } from "@tq/proto";
import { Command } from "commander";
import { ExitCode } from "../exit-codes.ts";
import { momentAndAge } from "../output/age.ts";
import { type Field, fieldLines } from "../output/fields.ts";
import { messageJson } from "../output/message-json.ts";
import { printable } from "../output/printable.ts";
import type { Invoke, Session } from "../session.ts";

/** What `tq namespace describe` was told. */
export interface NamespaceDescribeOptions {
  readonly name: string;
}

/** `tq namespace describe`. */
export function namespaceDescribeCommand(invoke: Invoke): Command {
  const command = new Command("describe")
    .summary("tell what a namespace has in it")
    .description("Tell what a namespace has in it: its queues, and their tasks by state.")
    .argument("<NAME>", "name of the namespace");
  return command.action((name: string) => invoke(command, runNamespaceDescribe, { name }));
}

async function runNamespaceDescribe({ name }: NamespaceDescribeOptions, session: Session): Promise<ExitCode> {
  const { client, output, signal } = session;
  const response = await client.services.operator.describeNamespace({ name }, { signal });
  if (output.format === "json") output.json(messageJson(DescribeNamespaceResponseSchema, response));
  else output.lines(fieldLines(fieldsOf(response, session.now()), output.paint));
  return ExitCode.ok;
}

function fieldsOf({ namespace, taskQueues, counts }: DescribeNamespaceResponse, nowMs: number): Field[] {
  const { ready = 0n, scheduled = 0n, started = 0n, dead = 0n } = counts ?? {};
  return [
    ["namespace", printable(namespace?.name ?? "")],
    [
      "description",
      namespace === undefined || namespace.description === "" ? undefined : printable(namespace.description),
    ],
    ["created", momentAndAge(namespace?.createdAt, nowMs)],
    ["queues", String(taskQueues)],
    ["tasks", `${ready} ready, ${scheduled} scheduled, ${started} started, ${dead} dead`],
  ];
}
