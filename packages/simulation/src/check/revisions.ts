/* A configuration's revision grows with each change and never comes again; an update that insists on one finds it. */
import { taskQueueKey } from "@tq/matching-core";
import { commitsOf, queueName, type History } from "../history.ts";
import { repeatedOperations } from "./repeats.ts";

/** The configuration of a queue that is there. */
interface Present {
  readonly revision: number;
  readonly isSet: boolean;
}

const nothing: Present = { revision: 0, isSet: false };

/** Finds revisions that came again, and updates that were lost. */
export function revisions(history: History): string[] {
  const wrong: string[] = [];
  const repeated = repeatedOperations(history);
  const present = new Map<string, Present>();
  let highest = 0;
  for (const { now, operations, results } of commitsOf(history)) {
    operations.forEach((operation, i) => {
      const result = results[i];
      if (result === undefined || "refused" in result || repeated.has(operation)) return;
      if (operation.verb === "delete-queue" && result.verb === "delete-queue" && !result.more)
        present.delete(taskQueueKey(operation.queue));
      if (operation.verb !== "configure" || result.verb !== "configure") return;
      const key = taskQueueKey(operation.queue);
      const { revision, ...config } = result.config;
      const name = queueName(operation.queue);
      if (revision <= highest) wrong.push(`${name} got revision ${revision} at ${now}, after ${highest}`);
      highest = Math.max(highest, revision);
      const { expectedRevision } = operation;
      // One whose settings are all at their defaults may go, and its revision with it: nothing is set then.
      const were = present.get(key) ?? nothing;
      if (
        expectedRevision !== undefined &&
        !(were.isSet ? [were.revision] : [were.revision, 0]).includes(expectedRevision)
      )
        wrong.push(`${name} was at ${were.revision}, and took an update of ${expectedRevision} at ${now}`);
      present.set(key, { revision, isSet: config.fairnessKeys.size > 0 || Object.keys(config).length > 1 });
    });
  }
  return wrong;
}
