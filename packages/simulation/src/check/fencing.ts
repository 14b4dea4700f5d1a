/* An answer is accepted once, for the delivery that its worker has, and never after that delivery has ended. */
import { leaseName, type History } from "../history.ts";
import { leaseChanges } from "./live-leases.ts";
import { repeatedOperations } from "./repeats.ts";

/** Finds answers that were accepted with a stale token, or refused with a good one. */
export function fencing(history: History): string[] {
  const wrong: string[] = [];
  const repeated = repeatedOperations(history);
  for (const { commit, before, ended } of leaseChanges(history)) {
    const gone = new Set(ended.map(({ task }) => leaseName(task.lease)));
    const accepted = new Set<string>();
    commit.operations.forEach((operation, i) => {
      const result = commit.results[i];
      if (operation.verb !== "answer" || result?.verb !== "answer" || "refused" in result) return;
      // The kept answer of a repeated call says what the first one came to.
      if (repeated.has(operation)) return;
      operation.answers.forEach((answer, at) => {
        const name = leaseName(answer.lease);
        const status = result.statuses[at]?.status;
        if (status === "accepted") {
          if (!before.has(name))
            wrong.push(`an answer to ${name} was accepted at ${commit.now}, when that lease had ended`);
          if (accepted.has(name)) wrong.push(`two answers to ${name} were accepted at ${commit.now}`);
          accepted.add(name);
        }
        if ((status === "lease-lost" || status === "already-answered") && before.has(name) && !gone.has(name)) {
          wrong.push(`an answer to ${name} was refused as ${status} at ${commit.now}, while that lease was live`);
        }
      });
    });
  }
  return wrong;
}
