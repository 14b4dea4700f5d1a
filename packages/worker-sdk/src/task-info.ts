import { durationMs, type Duration as DurationMessage, type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";
import {
  type Client,
  decodeFailure,
  describeClosedTask,
  kindName,
  mayDecodeLater,
  type MessageCodec,
  type PayloadConverter,
} from "@tq/client";
import type { DispatchedTask } from "@tq/proto";
import type { TaskInfo } from "./context.ts";
import { ApplicationFailure } from "./failure.ts";

/** What a delivery brings, decoded. */
export interface DecodedDelivery {
  readonly info: TaskInfo;
  readonly args: readonly unknown[];
}

/** {@link decodeDelivery} of one whose payloads codecs have to decode first. */
export async function decodeDeliveryWith(
  codec: MessageCodec,
  task: DispatchedTask,
  client: Client,
): Promise<DecodedDelivery | ApplicationFailure> {
  try {
    await codec.decodeDispatchedTask(task);
  } catch (error) {
    return undecodable(error);
  }
  return decodeDelivery(task, client);
}

/** Decodes a delivery. One whose payloads cannot be decoded is a failure, which is tried again where that may help. */
export function decodeDelivery(task: DispatchedTask, client: Client): DecodedDelivery | ApplicationFailure {
  const { payloadConverter: converter, namespace } = client.config;
  try {
    return {
      info: taskInfo(task, namespace, converter),
      args: task.input.map((payload) => converter.fromPayload(payload)),
    };
  } catch (cause) {
    return undecodable(cause);
  }
}

function undecodable(cause: unknown): ApplicationFailure {
  const message = `The task's payloads cannot be decoded: ${cause instanceof Error ? cause.message : String(cause)}`;
  return new ApplicationFailure({ message, type: "UndecodableInput", nonRetryable: !mayDecodeLater(cause), cause });
}

/** What a handler is told of its attempt. @throws TqError if a payload cannot be decoded. */
function taskInfo(task: DispatchedTask, namespace: string, converter: PayloadConverter): TaskInfo {
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
