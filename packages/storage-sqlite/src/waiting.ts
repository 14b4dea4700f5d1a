/*
 * What it takes to wait. A ready task is placed in the dispatch order, or stands in line for its serial key; it is
 * counted, and it ages. What follows if it waits too long is noted as it becomes ready and struck out as it ceases to be:
 * a timer for its schedule-to-start, a row if it has a fallback. The timer of a schedule-to-close is there from the add on,
 * but not while the task is started: then it is one of the deadlines of its lease.
 */
import type { TaskOptions } from "./columns.ts";
import type { Placeable } from "./order/order.ts";
import type { QueueState } from "./queues.ts";
import type { Started } from "./started-task.ts";
import { optionsOf, type Placed } from "./tasks.ts";
import type { TaskRow } from "./task-row.ts";
import type { Transaction } from "./transaction.ts";

/** Where a ready task stands. */
export interface Standing {
  readonly placed: Placed | undefined;
  readonly serialPlace: number | undefined;
}

/** When the task as a whole times out; undefined: never. */
export function closesAt(task: Pick<TaskRow, "added_at">, { timeouts }: TaskOptions): number | undefined {
  const { scheduleToCloseMs } = timeouts;
  return scheduleToCloseMs === undefined ? undefined : task.added_at + scheduleToCloseMs;
}

/**
 * A task has become ready: it is placed, or stands in line for its serial key.
 *
 * @param place its place, if it has no serial key: its own number, the first time that it is placed. Else it gets a new one
 */
export function becomeReady(
  tx: Transaction,
  queue: QueueState,
  task: Placeable,
  serialKey: string | undefined,
  options: TaskOptions | undefined,
  place?: number,
): Standing {
  const { parts } = tx;
  startWaiting(tx, queue, task, options);
  if (serialKey === undefined) return { placed: placeNow(tx, queue, task, place), serialPlace: undefined };
  const serialPlace = parts.numbers.next();
  const alone = parts.serial.join(queue, serialKey, { place: serialPlace, seq: task.seq, since: task.since });
  if (alone) return { placed: placeNow(tx, queue, task), serialPlace };
  parts.queues.bump(queue, task.type, task.priority, "waiting", 1);
  return { placed: undefined, serialPlace };
}

/** The back-off of the first in line for a serial key is over: it kept its turn. */
export function becomeReadyAgain(
  tx: Transaction,
  queue: QueueState,
  task: Placeable,
  options: TaskOptions | undefined,
): Placed {
  startWaiting(tx, queue, task, options);
  return placeNow(tx, queue, task);
}

/** Since when a started task would be ready, had it not been started meanwhile. */
export function waitedSince(tx: Transaction, { since, startedAt }: Started): number {
  return since + (tx.now - startedAt);
}

/** A started task gets its old place back, and waits as it did: the time in which it was started does not count. */
export function putBack(
  tx: Transaction,
  queue: QueueState,
  row: TaskRow,
  task: Started,
  options: TaskOptions | undefined,
): void {
  const { parts } = tx;
  const back = { ...placeable(row), since: waitedSince(tx, task) };
  startWaiting(tx, queue, back, options);
  parts.order.putBack(queue, back, task);
  parts.queues.bump(queue, row.type, row.priority, "ready", 1);
  tx.touch(queue);
}

/**
 * A ready task is dispatched, closed or moved: what waits for it by time, or for want of workers, does no more.
 *
 * @param since when it became ready
 */
export function stopWaiting(
  tx: Transaction,
  queue: QueueState,
  seq: number,
  { timeouts, fallback }: TaskOptions,
  since: number,
): void {
  const { timers, fallbacks } = tx.parts;
  if (timeouts.scheduleToStartMs !== undefined) timers.clear("start", since + timeouts.scheduleToStartMs, seq);
  if (fallback !== undefined) fallbacks.delete(queue, seq);
}

/**
 * A task that is scheduled or ready stands nowhere any more; the next one of its serial key is placed. Answers since when
 * it was ready; undefined: it was scheduled.
 */
export function takeOut(tx: Transaction, row: TaskRow, queue: QueueState, options: TaskOptions): number | undefined {
  const { parts } = tx;
  const { seq, type, priority, pass, place } = row;
  if (row.due_at !== null) {
    parts.timers.clear("ready", row.due_at, seq);
    parts.queues.bump(queue, type, priority, "scheduled", -1);
    leaveLine(tx, row, queue);
    return undefined;
  }
  let since: number | undefined;
  if (pass !== null && place !== null) {
    since = parts.order.remove(queue, placeable(row), { pass, place });
    parts.queues.bump(queue, type, priority, "ready", -1);
    leaveLine(tx, row, queue);
  } else {
    parts.queues.bump(queue, type, priority, "waiting", -1);
    since = leaveLine(tx, row, queue);
    if (since === undefined) throw new Error(`task ${seq} is ready, but neither placed nor in a line`);
  }
  parts.ages.bump(queue, since, -1);
  stopWaiting(tx, queue, seq, options, since);
  return since;
}

/**
 * The task leaves the line for its serial key, if it is in one; if it was the first, the next one is placed. Answers
 * since when it was ready as it joined.
 */
export function leaveLine(tx: Transaction, row: TaskRow, queue: QueueState): number | undefined {
  const { parts } = tx;
  const { serial_key: key, serial_place: place } = row;
  if (key === null || place === null) return undefined;
  const wasFirst = parts.serial.first(queue, key)?.place === place;
  const since = parts.serial.leave(queue, key, place);
  const next = wasFirst ? parts.serial.first(queue, key) : undefined;
  if (next === undefined) return since;
  const nextRow = parts.tasks.row(next.seq);
  parts.queues.bump(queue, nextRow.type, nextRow.priority, "waiting", -1);
  parts.tasks.setPlaced(next.seq, placeNow(tx, queue, { ...placeable(nextRow), since: next.since }));
  return since;
}

/** What the order needs to know of it, but for when it became ready. */
export function placeable(row: TaskRow): Omit<Placeable, "since"> {
  const { seq, type, priority, key, weight } = row;
  return { seq, type, priority, key, weight };
}

/** The options of a task; undefined if it gives none, which is most tasks: then there is nothing to read. */
export function given(row: TaskRow, queue: QueueState): TaskOptions | undefined {
  return row.options === null ? undefined : optionsOf(row, queue);
}

/** From now on it ages, and may have waited too long. */
function startWaiting(
  tx: Transaction,
  queue: QueueState,
  { seq, since }: Placeable,
  options: TaskOptions | undefined,
): void {
  const { ages, timers, fallbacks } = tx.parts;
  ages.bump(queue, since, 1);
  const scheduleToStartMs = options?.timeouts.scheduleToStartMs;
  if (scheduleToStartMs !== undefined) timers.set("start", since + scheduleToStartMs, seq);
  if (options?.fallback === undefined) return;
  fallbacks.add(queue, seq);
  tx.readyWithFallback(queue);
}

function placeNow(tx: Transaction, queue: QueueState, task: Placeable, at?: number): Placed {
  const placed = tx.parts.order.place(queue, task, at ?? tx.parts.numbers.next());
  tx.parts.queues.bump(queue, task.type, task.priority, "ready", 1);
  tx.touch(queue);
  return placed;
}
