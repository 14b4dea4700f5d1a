import { posix, win32 } from "node:path";
import type { BackupServerResponse } from "@tq/proto";
import { Command } from "commander";
import { type ActionFlags, actionOf, addActionOptions } from "../arguments/action.ts";
import { ExitCode } from "../exit-codes.ts";
import { printable } from "../output/printable.ts";
import { answersInTime } from "../server-stream.ts";
import type { Invoke, Session } from "../session.ts";

/** What `tq server backup` was told. */
export interface ServerBackupOptions extends ActionFlags {
  readonly path: string;
}

/** So often a long backup tells how far it is. */
const tellEveryMs = 1_000;

/** `tq server backup`. */
export function serverBackupCommand(invoke: Invoke): Command {
  const command = new Command("backup")
    .summary("write a copy of the server's data, while it runs")
    .description("Write a consistent copy of the server's data to a file on the server's machine, while it runs.")
    .argument("<PATH>", "absolute path of a file on the server's machine, which must not exist");
  addActionOptions(command);
  return command.action((path: string, flags: ActionFlags) => {
    // Taken from where the server was started, a relative path would be none that the user has in mind.
    if (!posix.isAbsolute(path) && !win32.isAbsolute(path)) {
      command.error("error: argument 'PATH' must be absolute: it is a file on the server's machine");
    }
    return invoke(command, runServerBackup, { path, ...flags });
  });
}

async function runServerBackup(options: ServerBackupOptions, session: Session): Promise<ExitCode> {
  const { path } = options;
  const { client, output, now } = session;
  const request = { action: actionOf(options, session), path };
  let last: BackupServerResponse | undefined;
  let toldAtMs = now();
  for await (const progress of answersInTime((call) => client.services.operator.backupServer(request, call), session)) {
    last = progress;
    if (progress.done || now() - toldAtMs < tellEveryMs) continue;
    toldAtMs = now();
    output.message(`${progress.pagesTotal - progress.pagesRemaining} of ${progress.pagesTotal} pages so far.`);
  }
  if (last?.done !== true) throw new Error("the server ended the backup before it was done");
  if (output.format === "json") output.json({ path, bytes: Number(last.bytes) });
  else output.lines([`${printable(path)}: ${mebibytes(last.bytes)} MiB, on the server's machine`]);
  return ExitCode.ok;
}

function mebibytes(bytes: bigint): number {
  return Math.round((Number(bytes) / 1_048_576) * 10) / 10;
}
