import { Command } from "commander";
import { type ActionFlags, actionOf, addActionOptions } from "../arguments/action.ts";
import { ExitCode } from "../exit-codes.ts";
import { printable } from "../output/printable.ts";
import type { Invoke, Session } from "../session.ts";

/** What `tq worker drain` was told. */
export interface WorkerDrainOptions extends ActionFlags {
  readonly id: string;
}

/** `tq worker drain`. */
export function workerDrainCommand(invoke: Invoke): Command {
  const command = new Command("drain")
    .summary("let a worker finish what it has, and take nothing new")
    .description("Let a worker finish what it has, and take nothing new. There is no way back: start another one.")
    .argument("<ID>", "id of the worker");
  addActionOptions(command);
  return command.action((id: string, flags: ActionFlags) => invoke(command, runWorkerDrain, { id, ...flags }));
}

async function runWorkerDrain(options: WorkerDrainOptions, session: Session): Promise<ExitCode> {
  const { client, globals, output, signal } = session;
  const { id } = options;
  const request = { namespace: globals.namespace, action: actionOf(options, session), workerId: id };
  await client.services.operator.drainWorker(request, { signal });
  if (output.format === "json") output.json({ workerId: id });
  else output.lines([`${printable(id)} is being told, and gets nothing new`]);
  return ExitCode.ok;
}
