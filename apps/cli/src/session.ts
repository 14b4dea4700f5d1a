import type { Client } from "@tq/client";
import type { Command } from "commander";
import type { ExitCode, Interruption } from "./exit-codes.ts";
import type { Globals } from "./globals.ts";
import type { Output } from "./output/output.ts";
import type { ServerModule } from "./commands/server-module.ts";

/** What a command runs with. */
export interface Session {
  readonly globals: Globals;
  /** Connects when it is first used; closed when the command has ended. Calls are made once: see {@link waitForTasks}. */
  readonly client: Client;
  readonly output: Output;
  readonly stdin: AsyncIterable<string | Uint8Array>;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Who is asking, as in `alice@laptop`. */
  readonly actor: string;
  readonly loadServer: () => Promise<ServerModule>;
  /** Aborts when the command is to end. */
  readonly signal: AbortSignal;
  /** From now on the command sees to signals itself. */
  readonly onInterruption: (handler: (interruption: Interruption) => void) => void;
  /** A command line for the user to type, which goes to the same server and namespace. */
  readonly typed: (command: string, options?: { readonly address: string }) => string;
}

/** What a command does, apart from how its options are parsed. What it throws is reported to the user. */
export type Run<Options> = (options: Options, session: Session) => Promise<ExitCode>;

/** Runs a command whose arguments have been parsed; a test notes the options instead. */
export type Invoke = <Options>(command: Command, run: Run<Options>, options: Options) => Promise<void>;
