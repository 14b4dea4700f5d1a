import type { Duration } from "@bufbuild/protobuf/wkt";
import type { TaskQueueRef } from "@tq/proto";
import { taskQueueRefTags, timeTags, type WireWriter } from "@tq/proto/wire";

/** Whether a number is written as it is: negative ones are written in another way, and those that are none are refused. */
export function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0 && !Object.is(value, -0);
}

/** Whether a duration that may be unset is one for {@link writeDuration}. */
export function isPlainDuration(duration: Duration | undefined): boolean {
  return (
    duration === undefined ||
    (isCount(Number(duration.seconds)) && isCount(duration.nanos) && duration.$unknown === undefined)
  );
}

/** Writes a duration as the field `tag`, as the library would. */
export function writeDuration(writer: WireWriter, tag: number, { seconds, nanos }: Duration): void {
  const mark = writer.open(tag, 1);
  writer.number(timeTags.seconds, Number(seconds));
  writer.number(timeTags.nanos, nanos);
  writer.close(mark);
}

/** Writes the reference to a queue as the field `tag`, as the library would. */
export function writeTaskQueue(writer: WireWriter, tag: number, { name, kind }: TaskQueueRef): void {
  const mark = writer.open(tag, 1);
  writer.text(taskQueueRefTags.name, name);
  writer.number(taskQueueRefTags.kind, kind);
  writer.close(mark);
}
