import type { PollTasksRequest } from "@tq/proto";
import { pollTasksRequestTags as tags, workerRefTags, type WireWriter } from "@tq/proto/wire";
import { isCount, isPlainDuration, writeDuration, writeTaskQueue } from "./small-messages.ts";

/** Whether a poll is one for {@link writePlainPoll}: of a worker whose registrations the server knows. */
export function isPlainPoll(request: PollTasksRequest): boolean {
  const { worker, lease, confirmWithin, wait } = request;
  return (
    request.$unknown === undefined &&
    worker?.$unknown === undefined &&
    worker?.registrations === undefined &&
    // What is over the bounds of its field is the library's to refuse.
    isCount(request.maxTasks) &&
    request.maxTasks <= 0xffff_ffff &&
    request.taskQueues.every(({ kind, $unknown }) => isCount(kind) && $unknown === undefined) &&
    isPlainDuration(lease) &&
    isPlainDuration(confirmWithin) &&
    isPlainDuration(wait)
  );
}

/** Writes all of a poll but its answers, as the library would. */
export function writePlainPoll(writer: WireWriter, request: PollTasksRequest): void {
  const { worker, lease, confirmWithin, wait, taskQueueRatePerSecond } = request;
  writer.text(tags.namespace, request.namespace);
  writer.text(tags.pollId, request.pollId);
  if (worker !== undefined) {
    const mark = writer.open(tags.worker, 1);
    writer.text(workerRefTags.workerId, worker.workerId);
    writer.text(workerRefTags.identity, worker.identity);
    writer.text(workerRefTags.buildId, worker.buildId);
    writer.text(workerRefTags.registrationsHash, worker.registrationsHash);
    writer.close(mark);
  }
  for (const queue of request.taskQueues) writeTaskQueue(writer, tags.taskQueues, queue);
  writer.number(tags.maxTasks, request.maxTasks);
  if (lease !== undefined) writeDuration(writer, tags.lease, lease);
  if (confirmWithin !== undefined) writeDuration(writer, tags.confirmWithin, confirmWithin);
  if (wait !== undefined) writeDuration(writer, tags.wait, wait);
  for (const id of request.receivedPollIds) writer.someText(tags.receivedPollIds, id);
  writer.text(tags.requestId, request.requestId);
  if (taskQueueRatePerSecond !== undefined) writer.someDouble(tags.taskQueueRatePerSecond, taskQueueRatePerSecond);
}
