// The composition root of `tq`: the process's own streams, signals and clock.

import { hostname, userInfo } from "node:os";
import { Client } from "@tq/client";
import { loadServer } from "./commands/server-module.ts";
import type { Dependencies } from "./dependencies.ts";
import { errorText } from "./error-text.ts";
import { ExitCode, type Interruption } from "./exit-codes.ts";
import { runTq } from "./run.ts";
import { prepareV8ForServer } from "./server-v8.ts";

const { env, stdin, stdout, stderr } = process;

const dependencies: Dependencies = {
  createClient: (options) => Client.create(options),
  loadServer: () => {
    prepareV8ForServer();
    return loadServer();
  },
  stdout,
  stderr,
  stdin,
  env,
  now: () => Date.now(),
  actor: `${userName()}@${hostname()}`,
  onInterruption,
};

// Something that nobody waited for.
process.on("uncaughtException", (error) => {
  stderr.write(`tq: ${errorText(error, env["TQ_DEBUG"] === "1")}\n`, () => process.exit(ExitCode.failed));
});
// Nothing is left to tell it to.
stderr.on("error", () => {});

const code = await runTq(process.argv.slice(2), dependencies);
// Exits, rather than waits for what an interrupted command still has open; but not before all has been written. What
// could not be written before fails this write, too.
stdout.write("", (error: NodeJS.ErrnoException | null | undefined) => {
  // A reader that has had enough closes the pipe, and is no failure; a full disk is one.
  const failed = error != null && error.code !== "EPIPE";
  const text = failed ? `tq: cannot write the output: ${error.message}\n` : "";
  stderr.write(text, () => process.exit(failed ? ExitCode.failed : code));
});

function onInterruption(listener: (interruption: Interruption) => void): () => void {
  const onInt = () => listener("SIGINT");
  const onTerm = () => listener("SIGTERM");
  const onOutputError = (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") listener("output-closed");
  };
  process.on("SIGINT", onInt).on("SIGTERM", onTerm);
  stdout.on("error", onOutputError);
  // The listener for errors stays: what was written last may fail later.
  return () => process.off("SIGINT", onInt).off("SIGTERM", onTerm);
}

/** The user's name; a container may run as one that has none. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return env["USER"] ?? "unknown";
  }
}
