import { toBinary } from "@bufbuild/protobuf";
import { type NewTask, NewTaskSchema, type Payload, PayloadSchema } from "@tq/proto";
import type { WireWriter } from "@tq/proto/wire";

const tags = {
  id: 0x0a,
  taskQueue: 0x12,
  type: 0x1a,
  input: 0x22,
  priority: 0x28,
  fairnessKey: 0x32,
  fairnessWeight: 0x39,
  serialKey: 0x42,
  idPolicy: 0x78,
  retention: 0x82,
} as const;
const queueTags = { name: 0x0a, kind: 0x10 } as const;
const payloadTags = { contentType: 0x0a, text: 0x12, bytes: 0x1a } as const;
const durationTags = { seconds: 0x08, nanos: 0x10 } as const;

/** Writes a task as the field `tag`, as the library would. One with something that few have is the library's. */
export function writeNewTask(writer: WireWriter, tag: number, task: NewTask): void {
  if (!isPlain(task)) {
    writer.bytes(tag, toBinary(NewTaskSchema, task));
    return;
  }
  const { taskQueue, retention } = task;
  const mark = writer.open(tag, 2);
  writer.text(tags.id, task.id);
  if (taskQueue !== undefined) {
    const queue = writer.open(tags.taskQueue, 1);
    writer.text(queueTags.name, taskQueue.name);
    writer.number(queueTags.kind, taskQueue.kind);
    writer.close(queue);
  }
  writer.text(tags.type, task.type);
  for (const payload of task.input) writePayload(writer, tags.input, payload);
  writer.number(tags.priority, task.priority);
  writer.text(tags.fairnessKey, task.fairnessKey);
  writer.double(tags.fairnessWeight, task.fairnessWeight);
  writer.text(tags.serialKey, task.serialKey);
  writer.number(tags.idPolicy, task.idPolicy);
  if (retention !== undefined) {
    const duration = writer.open(tags.retention, 1);
    writer.number(durationTags.seconds, Number(retention.seconds));
    writer.number(durationTags.nanos, retention.nanos);
    writer.close(duration);
  }
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
    (retention === undefined ||
      (isCount(Number(retention.seconds)) && isCount(retention.nanos) && retention.$unknown === undefined))
  );
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0 && !Object.is(value, -0);
}

function isEmpty(entries: Readonly<Record<string, unknown>>): boolean {
  for (const _key in entries) return false;
  return true;
}
