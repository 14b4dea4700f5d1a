import { Command } from "commander";
import type { Invoke } from "../session.ts";
import { serverBackupCommand } from "./server-backup.ts";
import { serverInfoCommand } from "./server-info.ts";
import { serverStartCommand } from "./server-start.ts";

/** `tq server`. */
export function serverCommand(invoke: Invoke): Command {
  return new Command("server")
    .summary("run a server, see how it does, and back it up")
    .description("Run a server, see how it does, and back it up.")
    .addCommand(serverStartCommand(invoke))
    .addCommand(serverInfoCommand(invoke))
    .addCommand(serverBackupCommand(invoke));
}
