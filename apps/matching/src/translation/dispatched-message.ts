import type { DispatchedTask as DispatchedTaskMessage } from "@tq/proto";
import type { DispatchedTask } from "@tq/storage";
import { toAttemptFailureMessage, toClosedTaskMessage } from "./failure-message.ts";
import { decodePayload, decodePayloads } from "./payload-codec.ts";
import { encodeTaskToken } from "./task-token.ts";
import { toTaskQueueRef } from "./task-queue.ts";
import { toDuration, toTimestamp } from "./time.ts";

/** One delivery as a message. Written as a literal: `create` takes as long as everything else together. */
export function toDispatchedMessage(task: DispatchedTask): DispatchedTaskMessage {
  const message: DispatchedTaskMessage = {
    $typeName: "tq.v1.DispatchedTask",
    token: encodeTaskToken(task.lease),
    id: task.id,
    run: task.run,
    taskQueue: toTaskQueueRef(task.queue),
    type: task.type,
    input: decodePayloads(task.input),
    attempt: task.attempt,
    headers: { ...task.headers },
    priority: task.priority,
    fairnessKey: task.fairnessKey,
    serialKey: task.serialKey ?? "",
    addedAt: toTimestamp(task.addedAt),
    startedAt: toTimestamp(task.startedAt),
    lease: toDuration(task.leaseMs),
    maximumAttempts: task.retryPolicy.maximumAttempts,
  };
  const { timeouts } = task;
  if (timeouts.startToCloseMs !== undefined) message.startToCloseTimeout = toDuration(timeouts.startToCloseMs);
  if (timeouts.heartbeatMs !== undefined) message.heartbeatTimeout = toDuration(timeouts.heartbeatMs);
  if (task.scheduleToCloseAt !== undefined) message.scheduleToCloseDeadline = toTimestamp(task.scheduleToCloseAt);
  if (task.heartbeatDetails !== undefined) message.heartbeatDetails = decodePayload(task.heartbeatDetails);
  if (task.lastFailure !== undefined) message.lastFailure = toAttemptFailureMessage(task.lastFailure);
  if (task.closedTask !== undefined) message.closedTask = toClosedTaskMessage(task.closedTask);
  return message;
}
