import { toBinary } from "@bufbuild/protobuf";
import { type NewTask, NewTaskSchema, type Payload, PayloadSchema } from "@tq/proto";
import { newTaskTags, payloadTags, type WireWriter } from "@tq/proto/wire";
import { isCount, isPlainDuration, writeDuration, writeTaskQueue } from "./small-messages.ts";

/** What a task probably takes: for a writer's first size. */
export const likelyTaskBytes = 400;

/** Writes a task as the field `tag`, as the library would. One with something that few have is the library's. */
export function writeNewTask(writer: WireWriter, tag: number, task: NewTask): void {
  if (!isPlain(task)) {
    writer.bytes(tag, toBinary(NewTaskSchema, task));
    return;
  }
  const { taskQueue, retention } = task;
  const mark = writer.open(tag, 2);
  writer.text(newTaskTags.id, task.id);
  if (taskQueue !== undefined) writeTaskQueue(writer, newTaskTags.taskQueue, taskQueue);
  writer.text(newTaskTags.type, task.type);
  for (const payload of task.input) writePayload(writer, newTaskTags.input, payload);
  writer.number(newTaskTags.priority, task.priority);
  writer.text(newTaskTags.fairnessKey, task.fairnessKey);
  writer.double(newTaskTags.fairnessWeight, task.fairnessWeight);
  writer.text(newTaskTags.serialKey, task.serialKey);
  writer.number(newTaskTags.idPolicy, task.idPolicy);
  if (retention !== undefined) writeDuration(writer, newTaskTags.retention, retention);
  writer.close(mark);
}

/** Writes a payload as the field `tag`. */
export function writePayload(writer: WireWriter, tag: number, payload: Payload): void {
  const { body, contentType } = payload;
  if (payload.$unknown !== undefined || !isEmpty(payload.metadata)) {
    writer.bytes(tag, toBinary(PayloadSchema, payload));
    return;
  }
  const mark = writer.open(tag, 2);
  writer.text(payloadTags.contentType, contentType);
  // A oneof's member is written even if it is empty.
  if (body.case === "text") writer.someText(payloadTags.text, body.value);
  else if (body.case === "bytes") writer.bytes(payloadTags.bytes, body.value);
  writer.close(mark);
}

function isPlain(task: NewTask): boolean {
  const { taskQueue, retention } = task;
  return (
    task.startDelay === undefined &&
    task.timeouts === undefined &&
    task.retryPolicy === undefined &&
    task.fallback === undefined &&
    task.onClose === undefined &&
    isEmpty(task.headers) &&
    task.$unknown === undefined &&
    taskQueue?.$unknown === undefined &&
    // Negative numbers are written in another way.
    isCount(task.priority) &&
    isCount(task.idPolicy) &&
    (taskQueue === undefined || isCount(taskQueue.kind)) &&
    isPlainDuration(retention)
  );
}

function isEmpty(entries: Readonly<Record<string, unknown>>): boolean {
  for (const _key in entries) return false;
  return true;
}
