/*
 * Every acknowledged task closes exactly once per run. A run that is open after one commit is open after the next, over
 * crashes, too, or that commit closed it; and nothing closes that was not open.
 */
import { commitsOf, runName, type CommitEntry, type History } from "../history.ts";
import { addedBy } from "./added.ts";

/** Finds runs that closed twice or never, or that are gone without having closed. */
export function closings(history: History): string[] {
  const wrong: string[] = [];
  const known = new Set<string>();
  let open = new Set<string>();
  for (const commit of commitsOf(history)) {
    const before = open;
    open = new Set(commit.open.map(runName));
    const added = addedBy(commit);
    for (const name of [...open, ...added]) known.add(name);
    wrong.push(...contradictions(commit, before, open, added));
  }
  for (const name of open) wrong.push(`${name} is open at the end`);
  for (const name of acknowledged(history)) {
    if (!known.has(name)) wrong.push(`the add of ${name} was acknowledged, and it was never there`);
  }
  return wrong;
}

function contradictions(
  commit: CommitEntry,
  before: ReadonlySet<string>,
  after: ReadonlySet<string>,
  added: ReadonlySet<string>,
): string[] {
  const wrong: string[] = [];
  const closed = new Set<string>();
  for (const name of commit.closed.map(runName)) {
    if (closed.has(name)) wrong.push(`${name} closed twice in one commit, at ${commit.now}`);
    else if (!before.has(name) && !added.has(name)) wrong.push(`${name} closed at ${commit.now}, and was not open`);
    closed.add(name);
  }
  for (const name of before) {
    if (!after.has(name) && !closed.has(name)) wrong.push(`${name} is gone at ${commit.now}, and did not close`);
  }
  for (const name of closed) {
    if (after.has(name) && !added.has(name)) wrong.push(`${name} closed at ${commit.now}, and is open`);
  }
  return wrong;
}

/** Runs that a producer was told of. */
function acknowledged(history: History): string[] {
  return history.flatMap((entry) => {
    if (entry.kind !== "reply" || entry.outcome.kind !== "ok" || entry.outcome.reply.method !== "add") return [];
    return entry.outcome.reply.added.map(runName);
  });
}
