import { GetServerInfoResponseSchema } from "@tq/proto";
import { Command } from "commander";
import { ExitCode } from "../exit-codes.ts";
import { messageJson } from "../output/message-json.ts";
import { serverInfoLines } from "../output/server-info.ts";
import type { Invoke, Session } from "../session.ts";

/** `tq server info`. */
export function serverInfoCommand(invoke: Invoke): Command {
  const command = new Command("info")
    .summary("tell what the server is, where its data lies, and how it does")
    .description("Tell what the server is, where its data lies, and how it does.");
  return command.action(() => invoke(command, runServerInfo, {}));
}

async function runServerInfo(_options: object, session: Session): Promise<ExitCode> {
  const { client, globals, output, signal } = session;
  const info = await client.services.operator.getServerInfo({}, { signal });
  if (output.format === "json") output.json(messageJson(GetServerInfoResponseSchema, info));
  else output.lines(serverInfoLines(info, { address: globals.address, output, nowMs: session.now() }));
  return ExitCode.ok;
}
