/*
 * A task to add, straight from the bytes of its NewTask message to the record that is stored: no message in between, and
 * an input that is one payload stays as it came. Whatever is out of the ordinary (a field that few tasks have, text beyond
 * ASCII in a name, anything that is wrong) goes through the message instead, which says what is wrong with it.
 */
import { defaultPriority, defaultWeight, type Priority, type TaskQueue } from "@tq/matching-core";
import { NewTaskSchema } from "@tq/proto";
import { messageOf, newTaskTags, readDuration, taskQueueRefTags, unusual, WireReader } from "@tq/proto/wire";
import type { Encoded, NewTask, NewTimeouts } from "@tq/storage";
import { readNewTask, type NewTaskReader } from "../translation/new-task.ts";
import { noPayloads } from "../translation/payload-codec.ts";
import { reservedPrefix } from "../translation/task-queue.ts";
import type { Writable } from "../translation/writable.ts";
import { bounds } from "../validation/bounds.ts";
import { isPriority, isWeight, isWithin, msOf, upToTenYears } from "../validation/numbers.ts";
import { readSomePayload } from "./payload.ts";

/** A task that says nothing of its timeouts. */
const unsaid: NewTimeouts = {};

/** Reads the tasks of one batch. Most of them name the same queue and type as the one before. */
export class NewTaskBytes {
  readonly #reader: WireReader;
  #queue: TaskQueue | undefined;
  #queueFrom = 0;
  #queueTo = 0;
  #type = "";
  #typeFrom = 0;
  #typeTo = 0;

  constructor(batch: Uint8Array) {
    this.#reader = new WireReader(batch);
  }

  /** The task whose message lies from `from` to `to`. Bytes that are no message are `unusual`. */
  read(from: number, to: number, around: NewTaskReader): NewTask {
    try {
      return this.#readPlain(from, to, around.namespace);
    } catch (error) {
      if (error !== unusual) throw error;
      const message = messageOf(NewTaskSchema, this.#reader.bytes.subarray(from, to));
      return readNewTask(message, "named", around);
    }
  }

  #readPlain(from: number, to: number, namespace: string): NewTask {
    const reader = this.#reader;
    reader.at = from;
    reader.end = to;
    let id = "";
    let queue: TaskQueue | undefined;
    let type = "";
    let input: Encoded = noPayloads;
    let priority: Priority = defaultPriority;
    let fairnessKey = "";
    let fairnessWeight = defaultWeight;
    let serialKey = "";
    let retentionMs: number | undefined;
    for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
      switch (tag) {
        case newTaskTags.id:
          id = plainName(reader, bounds.taskIdBytes);
          break;
        case newTaskTags.taskQueue:
          if (queue !== undefined) throw unusual;
          queue = this.#readQueue(namespace);
          break;
        case newTaskTags.type:
          type = this.#readType();
          break;
        case newTaskTags.input:
          input = withPayload(input, reader);
          break;
        case newTaskTags.priority:
          priority = readPriority(reader.number());
          break;
        case newTaskTags.fairnessKey:
          fairnessKey = plainName(reader, bounds.nameBytes);
          break;
        case newTaskTags.fairnessWeight:
          fairnessWeight = readWeight(reader.double());
          break;
        case newTaskTags.serialKey:
          serialKey = plainName(reader, bounds.nameBytes);
          break;
        case newTaskTags.retention:
          if (retentionMs !== undefined) throw unusual;
          retentionMs = readDurationMs(reader);
          break;
        default:
          throw unusual;
      }
    }
    if (id === "" || queue === undefined || type === "") throw unusual;
    const task: Writable<NewTask> = {
      id,
      queue,
      type,
      input,
      priority,
      fairnessKey,
      fairnessWeight,
      startDelayMs: 0,
      timeouts: unsaid,
      idPolicy: "reject",
    };
    if (serialKey !== "") task.serialKey = serialKey;
    if (retentionMs !== undefined) task.retentionMs = retentionMs;
    return task;
  }

  #readQueue(namespace: string): TaskQueue {
    const reader = this.#reader;
    reader.piece();
    const { from, to } = reader;
    if (this.#queue !== undefined && reader.isPiece(this.#queueFrom, this.#queueTo)) return this.#queue;
    let name = "";
    let kind = 0;
    reader.inPiece(() => {
      for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
        if (tag === taskQueueRefTags.name) name = plainName(reader, bounds.nameBytes);
        else if (tag === taskQueueRefTags.kind) kind = reader.number();
        else throw unusual;
      }
    });
    if (name === "" || name.startsWith(reservedPrefix) || (kind !== 1 && kind !== 2)) throw unusual;
    this.#queueFrom = from;
    this.#queueTo = to;
    return (this.#queue = { namespace, name, kind: kind === 1 ? "activity" : "workflow" });
  }

  #readType(): string {
    const reader = this.#reader;
    const { at } = reader;
    reader.piece();
    if (this.#type !== "" && reader.isPiece(this.#typeFrom, this.#typeTo)) return this.#type;
    reader.at = at;
    this.#type = plainName(reader, bounds.nameBytes);
    this.#typeFrom = reader.from;
    this.#typeTo = reader.to;
    return this.#type;
  }
}

function plainName(reader: WireReader, maxBytes: number): string {
  const name = reader.plainText();
  if (name.length > maxBytes) throw unusual;
  return name;
}

/** An input with one payload more. */
function withPayload(input: Encoded, reader: WireReader): Encoded {
  // More than one: to be put together by the message's way.
  if (input.length > 0) throw unusual;
  return readSomePayload(reader, true);
}

/** A number that is within its bounds. What is not, or stands for a default, is for the message to tell. */
function readPriority(value: number): Priority {
  if (!isPriority(value)) throw unusual;
  return value;
}

function readWeight(value: number): number {
  if (!isWeight(value)) throw unusual;
  return value;
}

/** A duration in ms, rounded up. */
function readDurationMs(reader: WireReader): number {
  reader.piece();
  const { seconds, nanos } = reader.inPiece(readDuration);
  const ms = msOf(Number(seconds), nanos);
  if (nanos > 999_999_999 || !isWithin(upToTenYears, ms)) throw unusual;
  return ms;
}
