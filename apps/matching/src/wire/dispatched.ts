/*
 * A delivery, straight from its record to the bytes of its DispatchedTask message, byte for byte as the message would be
 * encoded; the input goes as it is stored. One with something that few have goes through the message.
 */
import { toBinary } from "@bufbuild/protobuf";
import type { TaskQueue } from "@tq/matching-core";
import { DispatchedTaskSchema, TaskQueueKind } from "@tq/proto";
import { WireReader, type WireWriter } from "@tq/proto/wire";
import type { DispatchedTask, Encoded } from "@tq/storage";
import { toDispatchedMessage } from "../translation/dispatched-message.ts";
import { encodeTaskToken } from "../translation/task-token.ts";

const tags = {
  token: 0x0a,
  id: 0x12,
  run: 0x18,
  taskQueue: 0x22,
  type: 0x2a,
  input: 0x32,
  attempt: 0x38,
  priority: 0x48,
  fairnessKey: 0x52,
  serialKey: 0x5a,
  addedAt: 0x62,
  startedAt: 0x6a,
  lease: 0x72,
  startToClose: 0x7a,
  heartbeat: 0x82,
  scheduleToClose: 0x8a,
  maximumAttempts: 0xa8,
} as const;
const queueTags = { name: 0x0a, kind: 0x10 } as const;
const timeTags = { seconds: 0x08, nanos: 0x10 } as const;

/** About what a delivery takes beside its input: for a writer's first size. */
export const dispatchedOverheadBytes = 200;

/** Writes one delivery as the field `tag`. */
export function writeDispatched(writer: WireWriter, tag: number, task: DispatchedTask): void {
  if (
    task.headers !== undefined ||
    task.heartbeatDetails !== undefined ||
    task.lastFailure !== undefined ||
    task.closedTask !== undefined
  ) {
    writer.bytes(tag, toBinary(DispatchedTaskSchema, toDispatchedMessage(task)));
    return;
  }
  const mark = writer.open(tag, 2);
  writer.bytes(tags.token, encodeTaskToken(task.lease));
  writer.text(tags.id, task.id);
  writer.number(tags.run, task.run);
  writeQueue(writer, task.queue);
  writer.text(tags.type, task.type);
  writeInput(writer, task.input);
  writer.number(tags.attempt, task.attempt);
  writer.number(tags.priority, task.priority);
  writer.text(tags.fairnessKey, task.fairnessKey);
  if (task.serialKey !== undefined) writer.text(tags.serialKey, task.serialKey);
  writeTime(writer, tags.addedAt, task.addedAt);
  writeTime(writer, tags.startedAt, task.startedAt);
  writeTime(writer, tags.lease, task.leaseMs);
  const { startToCloseMs, heartbeatMs } = task.timeouts;
  if (startToCloseMs !== undefined) writeTime(writer, tags.startToClose, startToCloseMs);
  if (heartbeatMs !== undefined) writeTime(writer, tags.heartbeat, heartbeatMs);
  if (task.scheduleToCloseAt !== undefined) writeTime(writer, tags.scheduleToClose, task.scheduleToCloseAt);
  writer.number(tags.maximumAttempts, task.retryPolicy.maximumAttempts);
  writer.close(mark);
}

function writeQueue(writer: WireWriter, queue: TaskQueue): void {
  const mark = writer.open(tags.taskQueue, 1);
  writer.text(queueTags.name, queue.name);
  writer.number(queueTags.kind, queue.kind === "activity" ? TaskQueueKind.ACTIVITY : TaskQueueKind.WORKFLOW);
  writer.close(mark);
}

/** An input is stored as each of its payloads behind its length, so all it lacks is their tags. */
function writeInput(writer: WireWriter, input: Encoded): void {
  if (input.length === 0) return;
  const reader = new WireReader(input);
  while (reader.at < reader.end) {
    const begins = reader.at;
    reader.piece();
    writer.delimited(tags.input, input, begins, reader.at);
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
