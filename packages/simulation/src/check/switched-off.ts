/* What operators switch off is off: a paused queue dispatches nothing, a drained one takes no adds. */
import { queueName, type History } from "../history.ts";
import { settingsAt } from "./configurations.ts";
import { repeatedOperations } from "./repeats.ts";

/** Finds dispatches of paused queues, and adds to drained ones. */
export function switchedOff(history: History): string[] {
  const wrong: string[] = [];
  const repeated = repeatedOperations(history);
  for (const { commit, settingOf, settingBefore } of settingsAt(history)) {
    for (const { task } of commit.grants) {
      const { pausedUntil = -Infinity } = settingOf(task.queue);
      if (commit.now < pausedUntil)
        wrong.push(`${queueName(task.queue)} is paused, and dispatched ${task.id} at ${commit.now}`);
    }
    commit.operations.forEach((operation, i) => {
      const result = commit.results[i];
      if (operation.verb !== "add" || repeated.has(operation) || result?.verb !== "add" || "refused" in result) return;
      operation.tasks.forEach((task, at) => {
        const isNew =
          result.added[at]?.existed === false &&
          commit.open.some(({ id, addedAt }) => id === task.id && addedAt === commit.now);
        if (isNew && settingBefore(task.queue).isDraining && settingOf(task.queue).isDraining) {
          wrong.push(`${queueName(task.queue)} is drained, and took ${task.id} at ${commit.now}`);
        }
      });
    });
  }
  return wrong;
}
