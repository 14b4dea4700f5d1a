/* No dispatch makes a queue, or a fairness key of it, have more tasks started than it may. */
import { taskQueueKey } from "@tq/matching-core";
import type { TaskRecord } from "@tq/storage";
import { queueName, type History } from "../history.ts";
import { limitsOfKey, settingsAt } from "./configurations.ts";

/** Finds dispatches beyond the maximum. */
export function maxStarted(history: History): string[] {
  const wrong: string[] = [];
  for (const { commit, settingOf } of settingsAt(history)) {
    for (const { task } of commit.grants) {
      const { config } = settingOf(task.queue);
      const ofQueue = commit.open.filter(
        (other) => isStarted(other) && taskQueueKey(other.queue) === taskQueueKey(task.queue),
      );
      const ofKey = ofQueue.filter(({ fairnessKey }) => fairnessKey === task.fairnessKey);
      const limits = [
        { name: queueName(task.queue), started: ofQueue.length, most: config.maxStarted },
        {
          name: `the key "${task.fairnessKey}" of ${queueName(task.queue)}`,
          started: ofKey.length,
          most: limitsOfKey(config, task.fairnessKey).maxStarted,
        },
      ];
      for (const { name, started, most = Infinity } of limits) {
        if (started > most) wrong.push(`${name} may have ${most} tasks started, and has ${started} at ${commit.now}`);
      }
    }
  }
  return wrong;
}

function isStarted({ state }: TaskRecord): boolean {
  return state === "started";
}
