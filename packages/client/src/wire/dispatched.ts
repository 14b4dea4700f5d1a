/*
 * Deliveries, from the bytes of a PollTasksResponse to its messages. What the tasks of one answer mostly share (queue,
 * type, times) is made once for all of them: messages that were received are not changed.
 */
import { type DispatchedTask, DispatchedTaskSchema } from "@tq/proto";
import {
  dispatchedTaskTags,
  messageOf,
  readDuration,
  readTaskQueueRef,
  readTimestamp,
  unusual,
  WireReader,
} from "@tq/proto/wire";
import { readPayload } from "./payload.ts";

/** Remembers the last piece that it has read, and what that was. */
class Shared<Value> {
  readonly #read: (reader: WireReader) => Value;
  #from = 0;
  #to = 0;
  #value: Value | undefined;

  constructor(read: (reader: WireReader) => Value) {
    this.#read = read;
  }

  /** The value of the piece that is the next field of `reader`. */
  next(reader: WireReader): Value {
    reader.piece();
    if (this.#value !== undefined && reader.isPiece(this.#from, this.#to)) return this.#value;
    const { from, to } = reader;
    this.#value = reader.inPiece(this.#read);
    this.#from = from;
    this.#to = to;
    return this.#value;
  }
}

/** Reads the deliveries of one answer. */
export class DispatchedBytes {
  readonly #reader: WireReader;
  readonly #queue = new Shared(readTaskQueueRef);
  readonly #type = new Shared((reader) => reader.bytes.toString("utf8", reader.at, reader.end));
  readonly #addedAt = new Shared(readTimestamp);
  readonly #startedAt = new Shared(readTimestamp);
  readonly #lease = new Shared(readDuration);
  readonly #startToClose = new Shared(readDuration);
  readonly #heartbeat = new Shared(readDuration);
  readonly #scheduleToClose = new Shared(readTimestamp);

  constructor(answer: Uint8Array) {
    this.#reader = new WireReader(answer);
  }

  /** The delivery that lies from `from` to `to`. One with something that few have is the library's to read. */
  read(from: number, to: number): DispatchedTask {
    try {
      return this.#readPlain(from, to);
    } catch (error) {
      if (error !== unusual) throw error;
      return messageOf(DispatchedTaskSchema, this.#reader.viewOf(from, to));
    }
  }

  #readPlain(from: number, to: number): DispatchedTask {
    const reader = this.#reader;
    reader.at = from;
    reader.end = to;
    const task: DispatchedTask = {
      $typeName: "tq.v1.DispatchedTask",
      token: noBytes,
      id: "",
      run: 0,
      type: "",
      input: [],
      attempt: 0,
      headers: {},
      priority: 0,
      fairnessKey: "",
      serialKey: "",
      maximumAttempts: 0,
    };
    for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
      switch (tag) {
        case dispatchedTaskTags.token:
          task.token = reader.view();
          break;
        case dispatchedTaskTags.id:
          task.id = reader.text();
          break;
        case dispatchedTaskTags.run:
          task.run = reader.uint32();
          break;
        case dispatchedTaskTags.taskQueue:
          task.taskQueue = this.#queue.next(reader);
          break;
        case dispatchedTaskTags.type:
          task.type = this.#type.next(reader);
          break;
        case dispatchedTaskTags.input:
          task.input.push(readPayload(reader));
          break;
        case dispatchedTaskTags.attempt:
          task.attempt = reader.uint32();
          break;
        case dispatchedTaskTags.priority:
          task.priority = reader.uint32();
          break;
        case dispatchedTaskTags.fairnessKey:
          task.fairnessKey = reader.text();
          break;
        case dispatchedTaskTags.serialKey:
          task.serialKey = reader.text();
          break;
        case dispatchedTaskTags.addedAt:
          task.addedAt = this.#addedAt.next(reader);
          break;
        case dispatchedTaskTags.startedAt:
          task.startedAt = this.#startedAt.next(reader);
          break;
        case dispatchedTaskTags.lease:
          task.lease = this.#lease.next(reader);
          break;
        case dispatchedTaskTags.startToCloseTimeout:
          task.startToCloseTimeout = this.#startToClose.next(reader);
          break;
        case dispatchedTaskTags.heartbeatTimeout:
          task.heartbeatTimeout = this.#heartbeat.next(reader);
          break;
        case dispatchedTaskTags.scheduleToCloseDeadline:
          task.scheduleToCloseDeadline = this.#scheduleToClose.next(reader);
          break;
        case dispatchedTaskTags.maximumAttempts:
          task.maximumAttempts = reader.uint32();
          break;
        default:
          throw unusual;
      }
    }
    return task;
  }
}

const noBytes = new Uint8Array(0);
