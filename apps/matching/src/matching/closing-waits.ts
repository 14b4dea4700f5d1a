import type { StoreReader, TaskRecord } from "@tq/storage";
import type { Clock } from "../clock.ts";
import type { Closings, Watch } from "./closings.ts";
import type { WaitCall } from "./matching.ts";

/**
 * Reads tasks once they have closed, or the time is over.
 *
 * @param stopping whether the server takes nothing new: then the tasks are answered as they are
 */
export async function waitForTasks(
  call: WaitCall,
  reader: StoreReader,
  closings: Closings,
  clock: Clock,
  stopping: () => boolean,
): Promise<readonly (TaskRecord | undefined)[]> {
  const { namespace, ids, waitMs } = call;
  if (waitMs === 0) return reader.getTasks(namespace, ids);
  // Watched before it is read, so that nothing closes unseen in between.
  const watch = closings.watch(namespace, ids);
  let isTimeOver = false;
  const wake = (): void => watch.wake();
  // The timer decides, and not a look at the clock: a timer may fire a fraction of a millisecond early.
  const cancelTimer = clock.after(waitMs, () => {
    isTimeOver = true;
    wake();
  });
  call.signal.addEventListener("abort", wake);
  try {
    const before = await reader.getTasks(namespace, ids);
    if (watch.closed.size === 0 && isOver(call, before, watch)) return before;
    while (!isOver(call, before, watch) && !isTimeOver && !call.signal.aborted && !stopping()) await watch.next();
    const after = await reader.getTasks(namespace, ids);
    return after.map((task, i) => task ?? removedAsItClosed(before[i], watch));
  } finally {
    cancelTimer();
    call.signal.removeEventListener("abort", wake);
    watch.stop();
  }
}

/** Whether what was waited for has come. An unknown task counts as closed. */
function isOver(call: WaitCall, before: readonly (TaskRecord | undefined)[], watch: Watch): boolean {
  const isClosed = (id: string, i: number): boolean =>
    watch.closed.has(id) || before[i] === undefined || before[i].outcome !== undefined;
  return call.waitFor === "any" ? call.ids.some(isClosed) : call.ids.every(isClosed);
}

/** A task with retention 0: what it was, with how it ended. */
function removedAsItClosed(last: TaskRecord | undefined, watch: Watch): TaskRecord | undefined {
  const closed = last === undefined ? undefined : watch.closed.get(last.id);
  if (last === undefined || closed === undefined) return undefined;
  const { started: _started, dueAt: _dueAt, ...rest } = last;
  const { outcome, attempts } = closed;
  return { ...rest, state: outcome.state, attempt: attempts, outcome };
}
