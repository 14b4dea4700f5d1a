import { readFileSync } from "node:fs";
import { Command } from "commander";
import { detachWait } from "./arguments/wait.ts";
import { eventsCommand } from "./commands/events.ts";
import { namespaceCommand } from "./commands/namespace.ts";
import { queueCommand } from "./commands/queue.ts";
import { serverCommand } from "./commands/server.ts";
import { taskCommand } from "./commands/task.ts";
import { workerCommand } from "./commands/worker.ts";
import type { Dependencies } from "./dependencies.ts";
import { addGlobalOptions } from "./globals.ts";
import { paintFor } from "./output/color.ts";
import type { Invoke } from "./session.ts";

/** What parsing needs of the world. */
export type ParsingDependencies = Pick<Dependencies, "stdout" | "stderr" | "env" | "now">;

/**
 * Parses the arguments behind the program's name and hands the command and what it was told to `invoke`.
 *
 * @throws CommanderError when there is nothing (more) to do: the help was printed, or what is wrong was
 */
export async function parseCommand(
  argv: readonly string[],
  invoke: Invoke,
  dependencies: ParsingDependencies,
): Promise<void> {
  await createProgram(invoke, dependencies).parseAsync(detachWait(argv), { from: "user" });
}

function createProgram(invoke: Invoke, dependencies: ParsingDependencies): Command {
  const { stdout, stderr, env } = dependencies;
  const paint = paintFor(stderr, env);
  const program = addGlobalOptions(new Command("tq"))
    .description("See and steer the task queues of a tq server.")
    .version(readVersion(), "-V, --version", "print the version")
    .helpOption("-h, --help", "print help")
    .helpCommand("help [command]", "print help")
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => void stdout.write(text),
      writeErr: (text) => void stderr.write(text),
      outputError: (text, write) => write(text.replace(/^error: /, () => paint("bad", "tq: "))),
      getOutHelpWidth: () => stdout.columns ?? 100,
      getErrHelpWidth: () => stderr.columns ?? 100,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .exitOverride()
    .addCommand(queueCommand(invoke, dependencies))
    .addCommand(taskCommand(invoke, dependencies))
    .addCommand(workerCommand(invoke))
    .addCommand(eventsCommand(invoke))
    .addCommand(serverCommand(invoke))
    .addCommand(namespaceCommand(invoke))
    .addHelpText(
      "after",
      "\nExit codes: 0 done, 1 failed, 2 wrong usage, 130 Ctrl-C.\n" +
        "TQ_ADDRESS and TQ_NAMESPACE stand in for --address and --namespace; NO_COLOR turns colours off.",
    );
  inherit(program);
  return program;
}

/** Commands that are made apart do not inherit how errors and help are handled. */
function inherit(parent: Command): void {
  parent.showHelpAfterError(`Run \`${pathOf(parent)} --help\` to see what there is.`);
  for (const command of parent.commands) {
    command.copyInheritedSettings(parent);
    inherit(command);
  }
}

function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}

function readVersion(): string {
  const manifest = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as { version: string };
  return manifest.version;
}
