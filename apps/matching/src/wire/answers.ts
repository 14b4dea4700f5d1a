/*
 * The answers of a call, straight from the bytes of their TaskAnswer messages: a completed attempt with its result, which
 * stays as it came. Every other answer, and whatever is wrong, goes through the message.
 */
import { TaskAnswerSchema, type TaskAnswer } from "@tq/proto";
import { messageOf, taskAnswerTags, taskCompletedTags, unusual, WireReader } from "@tq/proto/wire";
import type { Answer, CommandRecord } from "@tq/storage";
import { commandsIn, readAnswer, type AnswerBatch, type AnswerReader } from "../translation/answers.ts";
import { decodeTaskToken } from "../translation/task-token.ts";
import { readSomePayload } from "./payload.ts";

const noCommands: readonly CommandRecord[] = [];

/** The answers that lie in `bytes`, each from one number of `items` to the next. */
export function answersInBytes(bytes: Uint8Array, items: readonly number[], requestId: string): AnswerBatch {
  const reader = new WireReader(bytes);
  const messageAt = (i: number): TaskAnswer =>
    messageOf(TaskAnswerSchema, reader.bytes.subarray(items[2 * i], items[2 * i + 1]));
  return {
    requestId,
    count: items.length / 2,
    readAnswer: (i, around: AnswerReader) => {
      try {
        return readCompleted(reader, items[2 * i] ?? 0, items[2 * i + 1] ?? 0);
      } catch (error) {
        if (error !== unusual) throw error;
        return readAnswer(messageAt(i), around);
      }
    },
    commandsOf: (i) => commandsIn(messageAt(i)),
  };
}

function readCompleted(reader: WireReader, from: number, to: number): Answer {
  reader.at = from;
  reader.end = to;
  if (reader.tag() !== taskAnswerTags.token) throw unusual;
  const lease = decodeTaskToken(reader.view());
  if (lease === undefined || reader.tag() !== taskAnswerTags.completed) throw unusual;
  reader.piece();
  // The last field of both messages, so nothing is behind it.
  if (reader.to !== to) throw unusual;
  if (reader.from === to) return { lease, kind: "completed", commands: noCommands };
  reader.at = reader.from;
  if (reader.tag() !== taskCompletedTags.result) throw unusual;
  const result = readSomePayload(reader, false);
  if (reader.at !== to) throw unusual;
  return { lease, kind: "completed", result, commands: noCommands };
}
