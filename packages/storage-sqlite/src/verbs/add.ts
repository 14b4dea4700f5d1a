import { isDead } from "@tq/matching-core";
import type { AddedTask, AddOperation, AddResult, NewTask, Refusal } from "@tq/storage";
import { addTask, removeClosed } from "../life.ts";
import type { QueueState } from "../queues.ts";
import type { IdHolder } from "../tasks.ts";
import type { Transaction } from "../transaction.ts";
import { type AnswerCodec, once } from "./requests.ts";

/** How many types of waiting tasks a queue may have: each costs memory while the queue is in use. */
const maxTypes = 1_000;

/** What is to be done about one task of a batch. */
interface Planned {
  readonly task: NewTask;
  readonly holder: IdHolder | undefined;
}

/** Adds a batch: all of it, or none. */
export function add(tx: Transaction, operation: AddOperation): AddResult {
  return once<AddOperation>(
    tx,
    "add",
    operation.request,
    () => {
      const content: (string | number)[] = [];
      for (const { id, queue, type, input } of operation.tasks) {
        content.push(operation.madeIds?.has(id) === true ? "" : id, queue.name, type, input.length);
      }
      return content;
    },
    () => {
      const holders = holdersOf(tx, operation.tasks);
      const checked = checkAdds(tx, operation.tasks, (_, { id }) => holders.get(id));
      if ("refused" in checked) return { verb: "add", refused: checked.refused };
      return { verb: "add", added: checked.planned.map((planned) => carryOut(tx, planned)) };
    },
    (refused) => ({ verb: "add", refused }),
    keptAdds(operation),
  );
}

/**
 * What became of a batch is kept as what is not plain of it: ids of the caller's are in the repeated call too, and nearly all
 * tasks are new. Whole answers would be most of what a busy server has on disk.
 */
function keptAdds({ tasks, madeIds }: AddOperation): AnswerCodec<AddResult> {
  return {
    write: (result) => {
      if ("refused" in result) return "";
      const unusual: UnusualAdd[] = [];
      result.added.forEach(({ id, run, existed }, index) => {
        if (madeIds?.has(id) === true) unusual.push([index, run, existed, id]);
        else if (run !== 1 || existed) unusual.push([index, run, existed]);
      });
      return JSON.stringify(unusual);
    },
    read: (text) => {
      const added: AddedTask[] = tasks.map(({ id }) => ({ id, run: 1, existed: false }));
      for (const [index, run, existed, id = tasks[index]?.id] of JSON.parse(text) as UnusualAdd[]) {
        if (id === undefined) throw new Error(`a kept answer has a task ${index}, the call has ${tasks.length}`);
        added[index] = { id, run, existed };
      }
      return { verb: "add", added };
    },
  };
}

/** Which task of the batch, its run, whether it was there already; its id, if that was made for it. */
type UnusualAdd = [index: number, run: number, existed: boolean, id?: string];

/** Who has the task's id now, open or kept. */
export function holderOf(tx: Transaction, namespaceId: number, task: NewTask): IdHolder | undefined {
  return tx.parts.tasks.holder(namespaceId, task.id);
}

/** Who has the ids of a batch now. All its tasks are of one namespace: the call names it. */
function holdersOf(tx: Transaction, tasks: readonly NewTask[]): ReadonlyMap<string, IdHolder> {
  const namespaceId = tx.parts.namespaces.idOf(tasks[0]?.queue.namespace ?? "");
  if (namespaceId === undefined) return new Map();
  return tx.parts.tasks.holders(
    namespaceId,
    tasks.map(({ id }) => id),
  );
}

/**
 * Looks, before anything is written, at whether all of these can be added.
 *
 * @param holderBy who has a task's id by the time it will be added
 */
export function checkAdds(
  tx: Transaction,
  tasks: readonly NewTask[],
  holderBy: (namespaceId: number, task: NewTask, index: number) => IdHolder | undefined,
): { readonly planned: readonly Planned[] } | { readonly refused: Refusal } {
  const { namespaces, queues } = tx.parts;
  const ids = new Set<string>();
  /** By queue, or by what names one that does not exist yet. */
  const newTypes = new Map<QueueState | string, Set<string>>();
  const news = new Map<QueueState, number>();
  const planned: Planned[] = [];
  let index = -1;
  for (const task of tasks) {
    index += 1;
    const namespaceId = namespaces.idOf(task.queue.namespace);
    if (namespaceId === undefined)
      return { refused: { reason: "namespace-not-found", index, subject: task.queue.namespace } };
    // All tasks of a batch are of one namespace: the call names it.
    if (ids.size === ids.add(task.id).size) return { refused: { reason: "duplicate-id", index, subject: task.id } };
    const holder = holderBy(namespaceId, task, index);
    if (holder !== undefined && holder.state !== null && !replaces(task, holder.state)) {
      return { refused: { reason: "task-id-taken", index, subject: task.id } };
    }
    const queue = queues.find(task.queue);
    if (queue?.counts.has(task.type) !== true) {
      const key = queue ?? `${task.queue.kind}/${task.queue.name}`;
      const types = newTypes.get(key) ?? new Set();
      newTypes.set(key, types.add(task.type));
      if (types.size + (queue?.counts.size ?? 0) > maxTypes) {
        return { refused: { reason: "too-many-types", index, subject: task.type } };
      }
    }
    if (holder === undefined || holder.state !== null) {
      const refused = refusedByQueue(queue, news);
      if (refused !== undefined) return { refused: { reason: refused, index, subject: task.queue.name } };
    }
    planned.push({ task, holder });
  }
  return { planned };
}

/** Whether its queue takes no adds, or no more. `news` counts those of the batch. */
function refusedByQueue(
  queue: QueueState | undefined,
  news: Map<QueueState, number>,
): "queue-draining" | "max-backlog" | undefined {
  if (queue === undefined) return undefined;
  if (queue.drain !== undefined) return "queue-draining";
  const { maxBacklog } = queue.config;
  if (maxBacklog === undefined) return undefined;
  const added = (news.get(queue) ?? 0) + 1;
  news.set(queue, added);
  return queue.open + added > maxBacklog ? "max-backlog" : undefined;
}

/** Adds one task that was checked. */
export function carryOut(tx: Transaction, { task, holder }: Planned): AddedTask {
  const { parts } = tx;
  if (holder === undefined) {
    addTask(tx, task, 1);
    return { id: task.id, run: 1, existed: false };
  }
  if (holder.state === null) return { id: task.id, run: holder.run, existed: true };
  removeClosed(tx, parts.tasks.row(holder.seq));
  addTask(tx, task, holder.run + 1);
  return { id: task.id, run: holder.run + 1, existed: false };
}

function replaces(task: NewTask, state: NonNullable<IdHolder["state"]>): boolean {
  return task.idPolicy === "allow" || (task.idPolicy === "allow-if-dead" && isDead(state));
}
