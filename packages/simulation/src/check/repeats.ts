import type { Operation } from "@tq/storage";
import { commitsOf, type History } from "../history.ts";

/** How long the store keeps the answer to a request. */
export const keptMs = 10 * 60_000;

/** The request that an operation carries. A bulk call has one for all of its chunks, so theirs says nothing. */
export function requestOf(operation: Operation): string | undefined {
  return "request" in operation && operation.verb !== "change-tasks" ? operation.request?.id : undefined;
}

/** Operations whose request had been carried out before: they are to get the first one's answer, and to do nothing. */
export function repeatedOperations(history: History): ReadonlySet<Operation> {
  const firsts = new Map<string, number>();
  const repeated = new Set<Operation>();
  for (const { now, operations, results } of commitsOf(history)) {
    operations.forEach((operation, i) => {
      const [id, result] = [requestOf(operation), results[i]];
      if (id === undefined || result === undefined || "refused" in result) return;
      const first = firsts.get(id);
      if (first !== undefined && now - first < keptMs) repeated.add(operation);
      else firsts.set(id, now);
    });
  }
  return repeated;
}
