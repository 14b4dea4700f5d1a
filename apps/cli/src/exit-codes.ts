import { TqError } from "@tq/client";
import { CommanderError } from "commander";

/** What `tq` exits with. */
export const ExitCode = {
  /** What was asked for was done. */
  ok: 0,
  /** It was not: the server refused or cannot be reached, a task is unknown, or one that was waited for did not complete. */
  failed: 1,
  /** What was typed is wrong. Nothing was done. */
  usage: 2,
  /** Ctrl-C. */
  interrupted: 130,
  /** SIGTERM. */
  terminated: 143,
} as const;

/** One of {@link ExitCode}. */
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** What ends a command from outside: a signal, or that nobody reads its output any more. */
export type Interruption = "SIGINT" | "SIGTERM" | "output-closed";

/** The exit code for an error that a command ended with. */
export function exitCodeOfError(error: unknown): ExitCode {
  // Commander ends with an "error" also where it printed the help or version that was asked for.
  if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.ok : ExitCode.usage;
  // The server checks names and sizes that are not checked here; they were typed wrong all the same.
  if (error instanceof TqError && error.code === "invalid_argument") return ExitCode.usage;
  return ExitCode.failed;
}

/** The exit code for a command that was ended from outside. */
export function exitCodeOfInterruption(interruption: Interruption): ExitCode {
  switch (interruption) {
    case "SIGINT":
      return ExitCode.interrupted;
    case "SIGTERM":
      return ExitCode.terminated;
    // The reader of `tq … | head` has all it wanted.
    case "output-closed":
      return ExitCode.ok;
  }
}
