import { durationMs, type Duration as DurationMessage, type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";
import type { Client, PayloadConverter } from "@tq/client";
import {
  decodeFailure,
  describeClosedTask,
  kindName,
  mayDecodeLater,
  type MessageCodec,
  refuseCoded,
} from "@tq/client/internal";
import type { DispatchedTask } from "@tq/proto";
import type { TaskInfo } from "./context.ts";
import { ApplicationFailure } from "./failure.ts";

/** What a handler is told of its worker. */
export interface WorkerFacts {
  readonly workerId: string;
  readonly processTaskQueue?: string | undefined;
}

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
  worker: WorkerFacts,
): Promise<DecodedDelivery | ApplicationFailure> {
  return (await decodeMessage(codec, task)) ?? decodeDelivery(task, client, worker);
}

/** Lets codecs decode all payloads of a delivery, in place. Answers the failure if they cannot. */
export async function decodeMessage(
  codec: MessageCodec,
  task: DispatchedTask,
): Promise<ApplicationFailure | undefined> {
  try {
    await codec.decodeDispatchedTask(task);
    return undefined;
  } catch (error) {
    return undecodable(error);
  }
}

/** Decodes a delivery. One whose payloads cannot be decoded is a failure, which is tried again where that may help. */
export function decodeDelivery(
  task: DispatchedTask,
  client: Client,
  worker: WorkerFacts,
): DecodedDelivery | ApplicationFailure {
  const args = decodeArgs(task, client);
  if (args instanceof ApplicationFailure) return args;
  try {
    return { info: taskInfo(task, client, worker), args };
  } catch (failure) {
    return failure as ApplicationFailure;
  }
}

/** The arguments of a task, or a failure that says that they cannot be decoded. */
export function decodeArgs(task: DispatchedTask, client: Client): readonly unknown[] | ApplicationFailure {
  const { payloadConverter: converter } = client.config;
  try {
    for (const payload of task.input) refuseCoded(payload);
    return task.input.map((payload) => converter.fromPayload(payload));
  } catch (cause) {
    return undecodable(cause);
  }
}

function undecodable(cause: unknown): ApplicationFailure {
  const message = `The task's payloads cannot be decoded: ${cause instanceof Error ? cause.message : String(cause)}`;
  return new ApplicationFailure({ message, type: "UndecodableInput", nonRetryable: !mayDecodeLater(cause), cause });
}

/** What a handler is told of its attempt. @throws ApplicationFailure if something that it is told of cannot be decoded. */
export function taskInfo(task: DispatchedTask, client: Client, worker: WorkerFacts): TaskInfo {
  const { namespace, payloadConverter: converter } = client.config;
  const { heartbeatDetails, lastFailure, closedTask } = decodable(task, converter);
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
    heartbeatDetails,
    lastFailure,
    closedTask,
    taskToken: task.token,
    workerId: worker.workerId,
    processTaskQueue: worker.processTaskQueue,
  };
}

/** What of a task's info is in payloads. */
function decodable(task: DispatchedTask, converter: PayloadConverter) {
  const { heartbeatDetails, lastFailure, closedTask } = task;
  try {
    return {
      heartbeatDetails: heartbeatDetails === undefined ? undefined : converter.fromPayload(heartbeatDetails),
      lastFailure: lastFailure === undefined ? undefined : decodeFailure(lastFailure, converter),
      closedTask: closedTask === undefined ? undefined : describeClosedTask(closedTask, converter),
    };
  } catch (cause) {
    throw undecodable(cause);
  }
}

function date(timestamp: Timestamp | undefined): Date | undefined {
  return timestamp === undefined ? undefined : timestampDate(timestamp);
}

function milliseconds(duration: DurationMessage | undefined): number | undefined {
  return duration === undefined ? undefined : durationMs(duration);
}
