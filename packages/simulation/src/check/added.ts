import type { NewTask } from "@tq/storage";
import { runName, type CommitEntry } from "../history.ts";

/** Runs that a commit may have added: by an add, by a command. */
export function addedBy(commit: CommitEntry): Set<string> {
  const ids = new Set(tasksAskedFor(commit).map(({ id }) => id));
  // What a command added is named by its id alone; its run is that of the task which is there.
  const runs = [...commit.open, ...commit.closed].filter(({ id }) => ids.has(id)).map(runName);
  const added = commit.results.flatMap((result) =>
    result.verb === "add" && "added" in result ? result.added.filter(({ existed }) => !existed).map(runName) : [],
  );
  return new Set([...runs, ...added]);
}

/** What a commit was asked to add, and did not have already. */
export function tasksAskedFor(commit: CommitEntry): NewTask[] {
  return commit.operations.flatMap((operation, i) => {
    const result = commit.results[i];
    if (operation.verb === "add" && result?.verb === "add" && "added" in result) {
      return operation.tasks.filter((_task, at) => result.added[at]?.existed === false);
    }
    if (operation.verb !== "answer" || result?.verb !== "answer" || !("statuses" in result)) return [];
    return operation.answers.flatMap((answer, at) => {
      if (answer.kind !== "completed" || result.statuses[at]?.status !== "accepted") return [];
      return answer.commands.flatMap((command) => (command.command === "add" ? [command.task] : []));
    });
  });
}
