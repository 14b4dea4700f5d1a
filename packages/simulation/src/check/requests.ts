/* A call that is repeated with its request id gets the first one's answer, and has no second effect. */
import { isDeepStrictEqual } from "node:util";
import type { Operation, OperationResult } from "@tq/storage";
import { commitsOf, runName, type CommitEntry, type History } from "../history.ts";
import { tasksAskedFor } from "./added.ts";
import { keptMs, requestOf } from "./repeats.ts";

interface First {
  readonly at: number;
  readonly result: OperationResult;
}

/** Finds repeated calls that were answered otherwise, or that did something again. */
export function requests(history: History): string[] {
  const wrong: string[] = [];
  const firsts = new Map<string, First>();
  let open = new Set<string>();
  for (const commit of commitsOf(history)) {
    const before = open;
    open = new Set(commit.open.map(runName));
    commit.operations.forEach((operation, i) => {
      const result = commit.results[i];
      const id = requestOf(operation);
      if (id === undefined || result === undefined || "refused" in result) return;
      const first = firsts.get(id);
      if (first === undefined || commit.now - first.at >= keptMs) {
        firsts.set(id, { at: commit.now, result });
        return;
      }
      if (!isDeepStrictEqual(result, first.result)) {
        wrong.push(
          `${id} was answered ${JSON.stringify(first.result)}, and at ${commit.now} ${JSON.stringify(result)}`,
        );
      }
      for (const name of addedAgain(operation, result, commit, before)) {
        wrong.push(`${id} added ${name} again at ${commit.now}`);
      }
    });
  }
  return wrong;
}

/** Runs that were not open before a repeated add, and are there after it, though nobody else added them. */
function addedAgain(
  operation: Operation,
  result: OperationResult,
  commit: CommitEntry,
  before: ReadonlySet<string>,
): string[] {
  if (operation.verb !== "add" || result.verb !== "add" || "refused" in result) return [];
  const others = new Set(
    commit.operations.flatMap((other, i) => {
      const [operations, results] = [[other], commit.results.slice(i, i + 1)];
      return other === operation ? [] : tasksAskedFor({ ...commit, operations, results }).map(({ id }) => id);
    }),
  );
  const after = new Set([...commit.open, ...commit.closed].map(runName));
  return result.added
    .filter((task) => !others.has(task.id) && !before.has(runName(task)) && after.has(runName(task)))
    .map(runName);
}
