import { Command } from "commander";
import type { Invoke } from "../session.ts";
import { serverInfoCommand } from "./server-info.ts";
import { serverStartCommand } from "./server-start.ts";

/** `tq server`. */
export function serverCommand(invoke: Invoke): Command {
  return new Command("server")
    .summary("run a server, and see how it does")
    .description("Run a server, and see how it does.")
    .addCommand(serverStartCommand(invoke))
    .addCommand(serverInfoCommand(invoke));
}
