import { retentionMs } from "@tq/matching-core";
import type { CommandRecord, NewTask, Refusal } from "@tq/storage";
import { optionsOf, type IdHolder } from "../tasks.ts";
import type { Transaction } from "../transaction.ts";
import { carryOut, checkAdds, holderOf } from "./add.ts";
import { cancelOne } from "./cancel.ts";

/** Looks, before anything is written, at whether all of these commands can be carried out in their order. */
export function checkCommands(
  tx: Transaction,
  namespace: string,
  commands: readonly CommandRecord[],
): { readonly commandIndex: number; readonly refused: Refusal } | undefined {
  const adds: { readonly task: NewTask; readonly commandIndex: number }[] = [];
  /** Ids that a command cancels, and the first command that does. */
  const canceledBy = new Map<string, number>();
  for (const [commandIndex, command] of commands.entries()) {
    if (command.command === "add") adds.push({ task: command.task, commandIndex });
    else if (!canceledBy.has(command.id)) canceledBy.set(command.id, commandIndex);
  }
  const tasks = adds.map((add) => add.task);
  const checked = checkAdds(tx, tasks, (namespaceId, task, index) => {
    const holder = holderOf(tx, namespaceId, task);
    const canceledAt = canceledBy.get(task.id);
    const canceledBefore = canceledAt !== undefined && canceledAt < (adds[index]?.commandIndex ?? 0);
    return canceledBefore && tx.parts.namespaces.idOf(namespace) === namespaceId ? afterCancel(tx, holder) : holder;
  });
  if (!("refused" in checked)) return undefined;
  return { commandIndex: adds[checked.refused.index]?.commandIndex ?? 0, refused: checked.refused };
}

/** Carries out commands that were checked. */
export function runCommands(tx: Transaction, namespace: string, commands: readonly CommandRecord[]): void {
  for (const command of commands) {
    if (command.command === "cancel") {
      cancelOne(tx, namespace, command.id, command.reason, false);
      continue;
    }
    const { task } = command;
    const namespaceId = tx.parts.namespaces.idOf(task.queue.namespace);
    if (namespaceId === undefined) throw new Error(`namespace ${task.queue.namespace} was not checked`);
    // Who holds the id is looked up anew: a cancel before it may have closed that task, or added one on close.
    carryOut(tx, { task, holder: holderOf(tx, namespaceId, task) });
  }
}

/** Who will hold the id once that task has been canceled without force. */
function afterCancel(tx: Transaction, holder: IdHolder | undefined): IdHolder | undefined {
  const { queues, started, tasks } = tx.parts;
  if (holder === undefined || holder.state !== null || started.get(holder.seq) !== undefined) return holder;
  const row = tasks.row(holder.seq);
  const queue = queues.byId(row.queue);
  const keepMs = retentionMs("canceled", optionsOf(row, queue).retentionMs, queue.config);
  return keepMs === 0 ? undefined : { ...holder, state: "canceled" };
}
