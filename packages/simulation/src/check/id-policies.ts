/* The id of a closed task that is kept is used anew only where the policy of the add allows it. */
import { isDead, type ClosedState } from "@tq/matching-core";
import { commitsOf, runName, type History } from "../history.ts";
import { repeatedOperations } from "./repeats.ts";

/** Finds ids that were used anew against their policy. */
export function idPolicies(history: History): string[] {
  const wrong: string[] = [];
  const repeated = repeatedOperations(history);
  const closedAs = new Map<string, ClosedState>();
  for (const { now, operations, results, closed } of commitsOf(history)) {
    operations.forEach((operation, i) => {
      const result = results[i];
      if (operation.verb !== "add" || result?.verb !== "add" || "refused" in result || repeated.has(operation)) return;
      operation.tasks.forEach(({ id, idPolicy }, at) => {
        const added = result.added[at];
        // A run after the first takes the place of one that is kept; one whose task has been removed begins anew.
        if (added === undefined || added.existed || added.run === 1) return;
        const state = closedAs.get(runName({ id, run: added.run - 1 }));
        const isAllowed =
          idPolicy === "allow" || (idPolicy === "allow-if-dead" && state !== undefined && isDead(state));
        if (!isAllowed)
          wrong.push(`${runName(added)} was added at ${now} by ${idPolicy}, in the place of one that ${state}`);
      });
    });
    for (const notice of closed) closedAs.set(runName(notice), notice.outcome.state);
  }
  return wrong;
}
