/* Messages that many others hold, each from a reader that has nothing else before its end: see WireReader.inPiece. */
import type { Duration, Timestamp } from "@bufbuild/protobuf/wkt";
import type { TaskQueueRef } from "@tq/proto";
import { taskQueueRefTags, timeTags } from "./tags.ts";
import { unusual, type WireReader } from "./wire-reader.ts";

/** A TaskQueueRef. */
export function readTaskQueueRef(reader: WireReader): TaskQueueRef {
  const queue: TaskQueueRef = { $typeName: "tq.v1.TaskQueueRef", name: "", kind: 0 };
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === taskQueueRefTags.name) queue.name = reader.text();
    else if (tag === taskQueueRefTags.kind) queue.kind = nonNegative(reader);
    else throw unusual;
  }
  return queue;
}

/** A Timestamp. */
export function readTimestamp(reader: WireReader): Timestamp {
  return { $typeName: "google.protobuf.Timestamp", ...readTime(reader) };
}

/** A Duration. */
export function readDuration(reader: WireReader): Duration {
  return { $typeName: "google.protobuf.Duration", ...readTime(reader) };
}

function readTime(reader: WireReader): { seconds: bigint; nanos: number } {
  let seconds = 0;
  let nanos = 0;
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === timeTags.seconds) seconds = reader.number();
    else if (tag === timeTags.nanos) nanos = nonNegative(reader);
    else throw unusual;
  }
  return { seconds: BigInt(seconds), nanos };
}

/** An int32, or an enum's. Negative ones are written in ten bytes, of which the library knows. */
function nonNegative(reader: WireReader): number {
  const value = reader.number();
  if (value > 0x7fff_ffff) throw unusual;
  return value;
}
