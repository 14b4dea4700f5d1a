/* A worker gets what it asked for: from its queues, of its types, no more than it has slots; and what is leased to it. */
import { commitsOf, runName, type History, type PolledTask, type Request } from "../history.ts";
import { namespaceOf } from "../scenery.ts";

/** Finds deliveries to the wrong worker, and too many of them. */
export function routing(history: History): string[] {
  const wrong: string[] = [];
  const leasedTo = new Set<string>();
  for (const { grants } of commitsOf(history)) {
    for (const { task, workerId, pollId, types, asked } of grants) {
      if (!asked) wrong.push(`${runName(task)} was given to ${workerId}, which had not asked for its queue`);
      leasedTo.add(`${workerId} ${pollId} ${runName(task)}`);
      if (types !== null && !types.includes(task.type))
        wrong.push(`${runName(task)} (${task.type}) was claimed for ${types.join()}`);
    }
  }
  for (const entry of history) {
    if (entry.kind !== "reply" || entry.outcome.kind !== "ok") continue;
    const { request, outcome } = entry;
    if (request.method !== "poll" || outcome.reply.method !== "poll") continue;
    const { tasks } = outcome.reply;
    if (tasks.length > request.maxTasks)
      wrong.push(`${request.workerId} has ${request.maxTasks} slots and got ${tasks.length} tasks`);
    for (const task of tasks) wrong.push(...misrouted(task, request));
    for (const task of tasks) {
      if (!leasedTo.has(`${request.workerId} ${request.pollId} ${runName(task)}`)) {
        wrong.push(`${request.workerId} got ${runName(task)}, which was not leased to it`);
      }
    }
  }
  return wrong;
}

function misrouted(task: PolledTask, request: Extract<Request, { method: "poll" }>): string[] {
  const { workerId, namespace, queues, types } = request;
  const wrong: string[] = [];
  if (namespaceOf(task.id) !== namespace)
    wrong.push(`${workerId} of ${namespace} got ${runName(task)} of another namespace`);
  if (!queues.includes(task.queue))
    wrong.push(`${workerId} polled ${queues.join()} and got ${runName(task)} of ${task.queue}`);
  if (types !== undefined && !types.includes(task.type)) {
    wrong.push(`${workerId} has ${types.join()} and got ${runName(task)}, a ${task.type}`);
  }
  return wrong;
}
