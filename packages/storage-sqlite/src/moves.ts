/* How a task gets from one queue into another: the same task, with its id, its attempts and its time of adding. */
import type { TaskQueue } from "@tq/matching-core";
import type { Encoded } from "@tq/storage";
import type { TaskOptions } from "./columns.ts";
import type { QueueState } from "./queues.ts";
import { optionsOf } from "./tasks.ts";
import type { TaskRow } from "./task-row.ts";
import type { Transaction } from "./transaction.ts";
import { becomeReady, placeable, takeOut, type Standing } from "./waiting.ts";

/** What the task is in the queue that it comes to. */
interface Arriving {
  readonly type: string;
  /** Undefined: what it was. */
  readonly input?: Encoded | undefined;
  readonly options: TaskOptions;
  readonly returns: number;
  readonly answered: number | null;
  readonly heartbeat: Buffer | null;
}

/** A task that is scheduled or ready goes to the tail of another queue of its kind. What it says of itself stays. */
export function moveTask(tx: Transaction, row: TaskRow, to: QueueState): void {
  const from = tx.parts.queues.byId(row.queue);
  const options = optionsOf(row, from);
  arrive(tx, row, to, takeOut(tx, row, from, options), { ...row, options, input: undefined });
}

/** A ready task goes to its fallback. */
export function fallBack(tx: Transaction, row: TaskRow): void {
  const from = tx.parts.queues.byId(row.queue);
  const options = optionsOf(row, from);
  arriveAtFallback(tx, row, options, { ...row, since: takeOut(tx, row, from, options) });
}

/**
 * A task that stands nowhere any more goes to the tail of its fallback. It moves once: there it has neither a fallback
 * nor a schedule-to-start.
 */
export function arriveAtFallback(
  tx: Transaction,
  row: TaskRow,
  { fallback, timeouts, ...others }: TaskOptions,
  at: Pick<Arriving, "returns" | "answered" | "heartbeat"> & { readonly since: number | undefined },
): void {
  const { parts } = tx;
  const { since, returns, answered, heartbeat } = at;
  if (fallback === undefined) throw new Error(`task ${row.seq} has no fallback`);
  const { scheduleToStartMs: _, ...stay } = timeouts;
  const { namespace, kind } = parts.queues.byId(row.queue).queue;
  const { queueName: name, type = row.type, input } = fallback;
  arrive(tx, row, useQueue(tx, { namespace, name, kind }), since, {
    type,
    input,
    options: { ...others, timeouts: stay },
    returns,
    answered,
    heartbeat,
  });
}

/** The queue, which is created if need be. */
export function useQueue(tx: Transaction, queue: TaskQueue): QueueState {
  return tx.parts.queues.use(queue, () => tx.parts.numbers.next());
}

/**
 * A task comes to a queue; neither a maximum backlog, nor a pause, nor a drain keeps it out.
 *
 * @param since when it became ready: a schedule-to-start and its age go on counting from there; undefined: it is scheduled
 */
function arrive(tx: Transaction, row: TaskRow, to: QueueState, since: number | undefined, as: Arriving): void {
  const { parts } = tx;
  const { seq, priority, due_at: dueAt, serial_key: serialKey } = row;
  const { type, input, options, returns, answered, heartbeat } = as;
  let standing: Standing = { placed: undefined, serialPlace: undefined };
  if (since !== undefined) {
    standing = becomeReady(tx, to, { ...placeable(row), type, since }, serialKey ?? undefined, options);
  } else {
    if (dueAt === null) throw new Error(`task ${seq} is neither ready nor scheduled`);
    parts.timers.set("ready", dueAt, seq);
    parts.queues.bump(to, type, priority, "scheduled", 1);
  }
  parts.tasks.setMoved(seq, { queue: to, type, options, ...standing, returns, answered, heartbeat });
  if (input !== undefined) parts.tasks.setInput(seq, input);
  tx.countAdded(to);
}
