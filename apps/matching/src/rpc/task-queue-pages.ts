/*
 * A list of queues is merged from two: those that the store knows, and those that live workers poll though they have
 * neither tasks nor configuration. Both are in order of name and kind. A page covers a range of that order: what the
 * store gave, and the polled ones in between; so a page token has the store's cursor and the last queue that was shown.
 */
import { taskQueueKey, type TaskQueueKind } from "@tq/matching-core";
import { emptyTaskQueue, type TaskQueueRecord } from "@tq/storage";
import type { Matching } from "../matching/matching.ts";
import { decodePageToken, encodePageToken } from "../translation/page-token.ts";

/** A page of queues to show. */
export interface TaskQueuePage {
  readonly items: readonly TaskQueueRecord[];
  /** Empty: that was all. */
  readonly nextToken: string;
}

/** Which page of which queues. */
export interface TaskQueueQuery {
  readonly namespace: string;
  readonly namePrefix: string;
  readonly kind: TaskQueueKind | undefined;
  readonly size: number;
  readonly token: string;
}

/** Where the store's list stands: at its start, after a cursor, or at its end. */
const storeStart = "start";
const storeEnd = "end";
const afterCursor = "after:";

/** A page of the queues that exist now. */
export async function pageOfTaskQueues(
  matching: Pick<Matching, "reader" | "polledQueues">,
  query: TaskQueueQuery,
): Promise<TaskQueuePage> {
  const { namespace, namePrefix, kind, size } = query;
  const [position = storeStart, lastName, lastKind] = decodePageToken("task-queues", query.token, 3) ?? [];
  const filter = kind === undefined ? { namePrefix } : { namePrefix, kind };
  const cursor = position.startsWith(afterCursor) ? { after: position.slice(afterCursor.length) } : {};
  const read = async (atMost: number): Promise<{ items: readonly TaskQueueRecord[]; position: string }> => {
    if (position === storeEnd) return { items: [], position: storeEnd };
    const page = await matching.reader.listTaskQueues(namespace, filter, { size: atMost, ...cursor });
    return { items: page.items, position: page.next === undefined ? storeEnd : afterCursor + page.next };
  };

  const stored = await read(size);
  const inStore = new Set(stored.items.map((record) => taskQueueKey(record.queue)));
  const shown = lastName === undefined ? undefined : { name: lastName, kind: lastKind ?? "" };
  const storeLast = stored.position === storeEnd ? undefined : stored.items.at(-1)?.queue;
  const polledOnly = matching
    .polledQueues(namespace)
    .filter(
      (queue) =>
        queue.name.startsWith(namePrefix) &&
        (kind === undefined || queue.kind === kind) &&
        !inStore.has(taskQueueKey(queue)) &&
        (shown === undefined || inOrder(shown, queue) < 0) &&
        (storeLast === undefined || inOrder(queue, storeLast) < 0),
    );
  const merged = [...stored.items, ...polledOnly.map((queue) => emptyTaskQueue(queue))].sort((a, b) =>
    inOrder(a.queue, b.queue),
  );
  const items = merged.slice(0, size);
  const last = items.at(-1)?.queue;
  if (last === undefined) return { items, nextToken: "" };
  const token = (next: string): string => encodePageToken("task-queues", [next, last.name, last.kind]);
  if (items.length === merged.length)
    return { items, nextToken: stored.position === storeEnd ? "" : token(stored.position) };

  // Cut short by polled ones: only the store knows its cursor for the last one shown, so it is asked again.
  const used = items.filter((record) => inStore.has(taskQueueKey(record.queue))).length;
  if (used === 0) return { items, nextToken: token(position) };
  if (used === stored.items.length) return { items, nextToken: token(stored.position) };
  return { items, nextToken: token((await read(used)).position) };
}

/** Compares as the store does: names by their bytes, then kinds. */
function inOrder(
  a: { readonly name: string; readonly kind: string },
  b: { readonly name: string; readonly kind: string },
): number {
  if (a.name !== b.name) return Buffer.compare(Buffer.from(a.name), Buffer.from(b.name));
  return a.kind < b.kind ? -1 : Number(a.kind > b.kind);
}
