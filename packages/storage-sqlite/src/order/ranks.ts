import { stride, type Place, type Priority } from "@tq/matching-core";
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
  /** By key: the first pass that became free, and where the gap ends at the latest. */
  readonly keys: Map<string, { from: number; readonly to: number }>;
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
  readonly #gaps = new Map<string, Gap>();

  /** Forgets what is in memory. */
  reset(): void {
    this.#gaps.clear();
  }

  /** A task of this key was taken out at this pass; `next` is the pass that the key's next task would get. */
  left(queue: QueueState, priority: Priority, key: string, pass: number, next: number): void {
    const id = `${queue.id}/${priority}`;
    let gap = this.#gaps.get(id);
    if (gap === undefined) this.#gaps.set(id, (gap = { queue, priority, keys: new Map() }));
    const known = gap.keys.get(key);
    if (known === undefined) gap.keys.set(key, { from: pass, to: next });
    else known.from = Math.min(known.from, pass);
  }

  /** Closes all gaps. Before anything is claimed, and at the end of a transaction. */
  close(order: Order): void {
    for (const gap of this.#gaps.values()) closeGap(order, gap);
    this.#gaps.clear();
  }
}

function closeGap(order: Order, { queue, priority, keys }: Gap): void {
  const standing = find(order, queue, priority, keys);
  if (standing === undefined) return;
  for (const [key, { from }] of keys) {
    let next = Math.max(from, queue.virtualTimes[priority] ?? 0);
    for (const { type, row } of (standing.get(key) ?? []).sort((a, b) => compare(a.row, b.row))) {
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
  // Others of the key may have been placed since the first of them left.
  const bounds = [...keys].map(([key, { from, to }]) => ({
    from,
    to: Math.max(to, order.passes.get(queue, priority, key)),
  }));
  const from = Math.min(...bounds.map((gap) => gap.from));
  const to = Math.max(...bounds.map((gap) => gap.to));
  let left = maxExamined;
  for (const [type, counts] of queue.counts) {
    if ((counts[priority]?.ready ?? 0) === 0) continue;
    for (const row of order.front.between(queue, priority, type, from, to, left + 1)) {
      if (left-- === 0) return undefined;
      const gap = keys.get(row.key);
      if (gap === undefined || row.marker || row.pass < gap.from) continue;
      const ofKey = standing.get(row.key);
      if (ofKey === undefined) standing.set(row.key, [{ type, row }]);
      else ofKey.push({ type, row });
    }
  }
  return standing;
}

function compare(a: Place, b: Place): number {
  return a.pass - b.pass || a.place - b.place;
}
