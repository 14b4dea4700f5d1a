/*
 * Deliveries, straight from their records to the bytes of their DispatchedTask messages, byte for byte as the messages would be
 * encoded; the input goes as it is stored. One with something that few have goes through the message. How a message ends
 * is mostly the same as with the one before, and is then copied.
 */
import { toBinary } from "@bufbuild/protobuf";
import type { TaskQueue } from "@tq/matching-core";
import { DispatchedTaskSchema, TaskQueueKind } from "@tq/proto";
import { dispatchedTaskTags, taskQueueRefTags, timeTags, WireReader, type WireWriter } from "@tq/proto/wire";
import type { DispatchedTask, Encoded } from "@tq/storage";
import { toDispatchedMessage } from "../translation/dispatched-message.ts";
import { writeTaskToken } from "../translation/task-token.ts";

/** About what a delivery takes beside its input: for a writer's first size. */
export const dispatchedOverheadBytes = 200;

/** Writes deliveries, each as a field `tag`. */
export function writeDispatched(writer: WireWriter, tag: number, tasks: readonly DispatchedTask[]): void {
  let before: DispatchedTask | undefined;
  let endBytes = 0;
  for (const task of tasks) {
    if (isUnusual(task)) {
      writer.bytes(tag, toBinary(DispatchedTaskSchema, toDispatchedMessage(task)));
      before = undefined;
      continue;
    }
    const wroteBefore = writer.length;
    const mark = writer.open(tag, 2);
    writeBeginning(writer, task);
    if (before !== undefined && endsAlike(before, task)) {
      writer.again(wroteBefore - endBytes, wroteBefore);
    } else {
      const from = writer.length;
      writeEnd(writer, task);
      endBytes = writer.length - from;
    }
    writer.close(mark);
    before = task;
  }
}

function isUnusual({ headers, heartbeatDetails, lastFailure, closedTask }: DispatchedTask): boolean {
  return (
    headers !== undefined || heartbeatDetails !== undefined || lastFailure !== undefined || closedTask !== undefined
  );
}

function writeBeginning(writer: WireWriter, task: DispatchedTask): void {
  writeTaskToken(writer, dispatchedTaskTags.token, task.lease);
  writer.text(dispatchedTaskTags.id, task.id);
  writer.number(dispatchedTaskTags.run, task.run);
  writeQueue(writer, task.queue);
  writer.text(dispatchedTaskTags.type, task.type);
  writeInput(writer, task.input);
}

/** All that is behind the input. What is written here is compared in {@link endsAlike}. */
function writeEnd(writer: WireWriter, task: DispatchedTask): void {
  writer.number(dispatchedTaskTags.attempt, task.attempt);
  writer.number(dispatchedTaskTags.priority, task.priority);
  writer.text(dispatchedTaskTags.fairnessKey, task.fairnessKey);
  if (task.serialKey !== undefined) writer.text(dispatchedTaskTags.serialKey, task.serialKey);
  writeTime(writer, dispatchedTaskTags.addedAt, task.addedAt);
  writeTime(writer, dispatchedTaskTags.startedAt, task.startedAt);
  writeTime(writer, dispatchedTaskTags.lease, task.leaseMs);
  const { startToCloseMs, heartbeatMs } = task.timeouts;
  if (startToCloseMs !== undefined) writeTime(writer, dispatchedTaskTags.startToCloseTimeout, startToCloseMs);
  if (heartbeatMs !== undefined) writeTime(writer, dispatchedTaskTags.heartbeatTimeout, heartbeatMs);
  if (task.scheduleToCloseAt !== undefined)
    writeTime(writer, dispatchedTaskTags.scheduleToCloseDeadline, task.scheduleToCloseAt);
  writer.number(dispatchedTaskTags.maximumAttempts, task.retryPolicy.maximumAttempts);
}

/** Whether two deliveries have all in common that {@link writeEnd} writes. */
function endsAlike(one: DispatchedTask, other: DispatchedTask): boolean {
  return (
    one.addedAt === other.addedAt &&
    one.startedAt === other.startedAt &&
    one.attempt === other.attempt &&
    one.priority === other.priority &&
    one.fairnessKey === other.fairnessKey &&
    one.serialKey === other.serialKey &&
    one.leaseMs === other.leaseMs &&
    one.scheduleToCloseAt === other.scheduleToCloseAt &&
    one.timeouts.startToCloseMs === other.timeouts.startToCloseMs &&
    one.timeouts.heartbeatMs === other.timeouts.heartbeatMs &&
    one.retryPolicy.maximumAttempts === other.retryPolicy.maximumAttempts
  );
}

function writeQueue(writer: WireWriter, queue: TaskQueue): void {
  const mark = writer.open(dispatchedTaskTags.taskQueue, 1);
  writer.text(taskQueueRefTags.name, queue.name);
  writer.number(taskQueueRefTags.kind, queue.kind === "activity" ? TaskQueueKind.ACTIVITY : TaskQueueKind.WORKFLOW);
  writer.close(mark);
}

/** An input is stored as each of its payloads behind its length, so all it lacks is their dispatchedTaskTags. */
function writeInput(writer: WireWriter, input: Encoded): void {
  if (input.length === 0) return;
  const reader = new WireReader(input);
  while (reader.at < reader.end) {
    const begins = reader.at;
    reader.piece();
    writer.delimited(dispatchedTaskTags.input, input, begins, reader.at);
  }
}

/** A moment since the epoch, or a length of time, in ms and at least 0: both messages have the same fields. */
function writeTime(writer: WireWriter, tag: number, ms: number): void {
  const mark = writer.open(tag, 1);
  const seconds = Math.floor(ms / 1_000);
  writer.number(timeTags.seconds, seconds);
  writer.number(timeTags.nanos, Math.round((ms - seconds * 1_000) * 1_000_000));
  writer.close(mark);
}
