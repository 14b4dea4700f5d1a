/*
 * One owner at a time, and a time that never goes back: over a restart, too, whatever the wall clock says, it is not before
 * the last commit that changed something. (One that changed nothing is not written, and neither is its time.)
 */
import type { CommitEntry, History } from "../history.ts";

/** Finds commits of owners that had been replaced, and times that went back. */
export function owners(history: History): string[] {
  const wrong: string[] = [];
  let epoch = 0;
  let now = 0;
  let open = 0;
  for (const entry of history) {
    if (entry.kind !== "opened" && entry.kind !== "commit") continue;
    if (entry.kind === "opened") {
      if (entry.epoch <= epoch) wrong.push(`server ${entry.life} got epoch ${entry.epoch} after ${epoch}`);
      epoch = entry.epoch;
    } else if (entry.epoch !== epoch) {
      wrong.push(
        `server ${entry.life} committed with epoch ${entry.epoch} at ${entry.now}, when ${epoch} was the owner's`,
      );
    }
    if (entry.now < now) wrong.push(`the time went back from ${now} to ${entry.now}, in server ${entry.life}`);
    if (entry.kind === "opened" || hasChanged(entry, open)) now = Math.max(now, entry.now);
    if (entry.kind === "commit") open = entry.open.length;
  }
  return wrong;
}

function hasChanged({ grants, closed, open }: CommitEntry, openBefore: number): boolean {
  return grants.length > 0 || closed.length > 0 || open.length !== openBefore;
}
