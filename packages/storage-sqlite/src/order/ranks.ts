import { before, stride, type Priority } from "@tq/matching-core";
import type { QueueState } from "../queues.ts";
import type { FrontRow } from "./front.ts";
import type { Order } from "./order.ts";

/**
 * How many tasks are looked at for those that move up, for each queue and priority of a commit. Where more stand in
 * between, a key goes on where it would have gone on: its removed tasks count as if they had been dispatched, at most as
 * many as stand in the front for it (see the core's `lightStrides`).
 */
const maxExamined = 1_024;

interface Gap {
  readonly queue: QueueState;
  readonly priority: Priority;
  /** By key: the first pass that became free. */
  readonly keys: Map<string, number>;
}

interface Standing {
  readonly type: string;
  readonly row: FrontRow;
}

/**
 * Closes ranks. A task that is taken out of the front undispatched (canceled, moved, timed out) leaves a gap in its key's
 * passes, which the key has not had and must not pay for: those behind it move up, and so does what comes next.
 */
export class Ranks {
  #gaps = new Map<string, Gap>();

  /** Forgets what is in memory. */
  reset(): void {
    if (this.#gaps.size > 0) this.#gaps = new Map();
  }

  /** A task of this key was taken out at this pass. */
  left(queue: QueueState, priority: Priority, key: string, pass: number): void {
    const id = `${queue.id}/${priority}`;
    let gap = this.#gaps.get(id);
    if (gap === undefined) this.#gaps.set(id, (gap = { queue, priority, keys: new Map() }));
    gap.keys.set(key, Math.min(gap.keys.get(key) ?? pass, pass));
  }

  /** Closes all gaps. Before anything is claimed, and at the end of a transaction. */
  close(order: Order): void {
    for (const gap of this.#gaps.values()) closeGap(order, gap);
    if (this.#gaps.size > 0) this.#gaps = new Map();
  }
}

function closeGap(order: Order, { queue, priority, keys }: Gap): void {
  const standing = find(order, queue, priority, keys);
  if (standing === undefined) return;
  for (const [key, from] of keys) {
    let next = Math.max(from, queue.virtualTimes[priority] ?? 0);
    for (const { type, row } of (standing.get(key) ?? []).sort((a, b) => (before(a.row, b.row) ? -1 : 1))) {
      const pass = Math.min(row.pass, next);
      if (pass < row.pass) order.moveUp(queue, priority, type, row, pass);
      next = pass + stride(row.weight);
    }
    order.continueAt(queue, priority, key, next);
  }
}

/** The tasks of these keys that stand behind a gap of theirs; undefined: there is too much to look at. */
function find(
  order: Order,
  queue: QueueState,
  priority: Priority,
  keys: Gap["keys"],
): ReadonlyMap<string, Standing[]> | undefined {
  const standing = new Map<string, Standing[]>();
  let [first, end] = [Infinity, 0];
  for (const [key, from] of keys) {
    first = Math.min(first, from);
    // Others of the key may have been placed since the first of them left.
    end = Math.max(end, order.passes.get(queue, priority, key));
  }
  let left = maxExamined;
  for (const [type, counts] of queue.counts) {
    if ((counts[priority]?.ready ?? 0) === 0) continue;
    for (const row of order.front.tasksBetween(queue, priority, type, first, end, left + 1)) {
      if (left-- === 0) return undefined;
      const from = keys.get(row.key);
      if (from === undefined || row.pass < from) continue;
      const ofKey = standing.get(row.key);
      if (ofKey === undefined) standing.set(row.key, [{ type, row }]);
      else ofKey.push({ type, row });
    }
  }
  return standing;
}
