/*
 * A task moves away from a queue that has no worker, and never from one that a worker has polled in the last ten
 * seconds, nor in the first ten of a server.
 */
import { unservedMs } from "@tq/matching-core";
import { queueName, type History, type Request } from "../history.ts";

/** A poll, from its call to its answer. */
interface Polled {
  readonly workerId: string;
  readonly queues: readonly string[];
  readonly endedAt: number;
}

/** Finds tasks that were moved though a worker was there. */
export function fallbacks(history: History): string[] {
  const wrong: string[] = [];
  // These take nothing more, whatever they polled.
  const leaving = new Set<string>();
  let polled: Polled[] = [];
  let openedAt = -Infinity;
  // A server that has been taken over may still answer; the one that took over knows nothing of it.
  let before = new Set<number>();
  const underWay = new Set<number>();
  for (const entry of history) {
    if (entry.kind === "opened") {
      polled = [];
      openedAt = entry.now;
      before = new Set(underWay);
    }
    if (entry.kind === "call") {
      noteLeaving(entry.request, leaving);
      underWay.add(entry.call);
    }
    if (entry.kind === "reply") underWay.delete(entry.call);
    if (
      entry.kind === "reply" &&
      entry.outcome.kind === "ok" &&
      entry.request.method === "poll" &&
      !before.has(entry.call)
    ) {
      const { workerId, namespace, queues } = entry.request;
      polled.push({ workerId, queues: queues.map((queue) => `${namespace} ${queue}`), endedAt: entry.elapsed ?? 0 });
    }
    if (entry.kind !== "commit") continue;
    const { elapsed = 0 } = entry;
    entry.operations.forEach((operation, i) => {
      const result = entry.results[i];
      if (operation.verb !== "fall-back" || result?.verb !== "fall-back" || result.moved === 0) return;
      const queue = `${operation.queue.namespace} ${queueName(operation.queue)}`;
      if (entry.now < openedAt + unservedMs) {
        wrong.push(`${result.moved} tasks of ${queue} fell back at ${entry.now}; the server was opened at ${openedAt}`);
        return;
      }
      const by = polled.find(
        ({ workerId, queues, endedAt }) =>
          queues.includes(queue) && endedAt > elapsed - unservedMs && !leaving.has(workerId),
      );
      if (by === undefined) return;
      wrong.push(`${result.moved} tasks of ${queue} fell back at ${entry.now}, and ${by.workerId} had just polled it`);
    });
  }
  return wrong;
}

function noteLeaving(request: Request, leaving: Set<string>): void {
  if (request.method === "shutdown") leaving.add(request.workerId);
  if (request.method !== "operate" || request.call !== "DrainWorker") return;
  const { workerId } = request.asks as { readonly workerId: string };
  leaving.add(workerId);
}
