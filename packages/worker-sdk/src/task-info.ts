import { durationMs, type Duration as DurationMessage, type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";
import { decodeFailure, describeClosedTask, kindName, type PayloadConverter } from "@tq/client";
import type { DispatchedTask } from "@tq/proto";
import type { TaskInfo } from "./context.ts";

/** What a handler is told of its attempt. @throws TqError if a payload cannot be decoded. */
export function taskInfo(task: DispatchedTask, namespace: string, converter: PayloadConverter): TaskInfo {
  const { heartbeatDetails, lastFailure, closedTask } = task;
  return {
    taskId: task.id,
    run: task.run,
    attempt: task.attempt,
    maximumAttempts: task.maximumAttempts,
    namespace,
    taskQueue: task.taskQueue?.name ?? "",
    kind: kindName(task.taskQueue?.kind),
    type: task.type,
    headers: task.headers,
    priority: task.priority,
    fairnessKey: task.fairnessKey,
    serialKey: task.serialKey,
    addedAt: date(task.addedAt),
    startedAt: date(task.startedAt),
    startToCloseTimeoutMs: milliseconds(task.startToCloseTimeout),
    heartbeatTimeoutMs: milliseconds(task.heartbeatTimeout),
    scheduleToCloseDeadline: date(task.scheduleToCloseDeadline),
    heartbeatDetails: heartbeatDetails === undefined ? undefined : converter.fromPayload(heartbeatDetails),
    lastFailure: lastFailure === undefined ? undefined : decodeFailure(lastFailure, converter),
    closedTask: closedTask === undefined ? undefined : describeClosedTask(closedTask, converter),
    taskToken: task.token,
  };
}

function date(timestamp: Timestamp | undefined): Date | undefined {
  return timestamp === undefined ? undefined : timestampDate(timestamp);
}

function milliseconds(duration: DurationMessage | undefined): number | undefined {
  return duration === undefined ? undefined : durationMs(duration);
}
