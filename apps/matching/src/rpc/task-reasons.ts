import { taskQueueKey } from "@tq/matching-core";
import type { WaitingTasks } from "@tq/proto";
import type { TaskRecord } from "@tq/storage";
import { waitReasonsOfTask, type QueueNow } from "../describe/wait-reasons.ts";
import type { Matching } from "../matching/matching.ts";
import { toWaitingMessage } from "../translation/queue-message.ts";

/** Says why tasks wait, looking up each of their queues once. */
export async function taskReasons(
  tasks: readonly TaskRecord[],
  matching: Pick<Matching, "activityOf" | "now"> & { readonly reader: Pick<Matching["reader"], "describeTaskQueue"> },
): Promise<(task: TaskRecord) => WaitingTasks[]> {
  const now = matching.now();
  const queues = new Map<string, QueueNow>();
  for (const { state, queue } of tasks) {
    const key = taskQueueKey(queue);
    if ((state !== "scheduled" && state !== "ready") || queues.has(key)) continue;
    const record = await matching.reader.describeTaskQueue(queue);
    queues.set(key, { record, activity: matching.activityOf(queue), now });
  }
  return (task) => {
    const queue = queues.get(taskQueueKey(task.queue));
    return queue === undefined ? [] : waitReasonsOfTask(task, queue).map(toWaitingMessage);
  };
}
