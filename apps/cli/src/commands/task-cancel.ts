import { CancelStatus } from "@tq/proto";
import { Command } from "commander";
import { ExitCode } from "../exit-codes.ts";
import { cancelStatusName } from "../output/names.ts";
import type { Cell } from "../output/table.ts";
import type { Invoke, Session } from "../session.ts";

interface TaskCancelFlags {
  readonly force?: true;
  readonly reason?: string;
}

/** What `tq task cancel` was told. */
export interface TaskCancelOptions extends TaskCancelFlags {
  readonly ids: readonly string[];
}

/** `tq task cancel`. */
export function taskCancelCommand(invoke: Invoke): Command {
  const command = new Command("cancel")
    .summary("cancel tasks")
    .description(
      "Cancel tasks. One that waits closes at once; the worker of a started one is told, and it closes when that " +
        "answers. A task that has closed before is left as it is. Exits 1 if one is not known.",
    )
    .argument("<ID...>", "ids of tasks")
    .option("--force", "close started tasks at once, whatever their workers do")
    .option("--reason <text>", "told to the handlers, and kept with the tasks");
  return command.action((ids: readonly string[], flags: TaskCancelFlags) =>
    invoke(command, runTaskCancel, { ids, ...flags }),
  );
}

async function runTaskCancel({ ids, force, reason }: TaskCancelOptions, session: Session): Promise<ExitCode> {
  const { client, globals, output, signal } = session;
  const request = {
    namespace: globals.namespace,
    requestId: client.config.newId(),
    ids: [...ids],
    force: force ?? false,
    reason: reason ?? "",
  };
  const { statuses } = await client.services.tasks.cancelTasks(request, { signal });
  const canceled = ids.map((id, index) => ({ id, status: statuses[index] ?? CancelStatus.UNSPECIFIED }));
  if (output.format === "json") {
    output.json({ tasks: canceled.map(({ id, status }) => ({ id, status: cancelStatusName(status) })) });
  } else {
    output.lines(output.tableLines([{ title: "ID" }, { title: "STATUS" }], canceled.map(row)));
  }
  return canceled.some(({ status }) => status === CancelStatus.NOT_FOUND) ? ExitCode.failed : ExitCode.ok;
}

function row({ id, status }: { readonly id: string; readonly status: CancelStatus }): Cell[] {
  switch (status) {
    case CancelStatus.CANCELED:
      return [id, { text: "canceled", tone: "good" }];
    case CancelStatus.REQUESTED:
      return [id, { text: "started: its worker is being told", tone: "warning" }];
    case CancelStatus.ALREADY_CLOSED:
      return [id, { text: "had closed before", tone: "faint" }];
    case CancelStatus.NOT_FOUND:
      return [id, { text: "no such task", tone: "bad" }];
    case CancelStatus.UNSPECIFIED:
      return [id, undefined];
  }
}
