import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { WireType } from "@bufbuild/protobuf/wire";
import { DurationSchema, TimestampSchema } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import {
  AddedTaskSchema,
  AddTasksRequestSchema,
  AddTasksResponseSchema,
  AnswerStatusSchema,
  DispatchedTaskSchema,
  NewTaskSchema,
  PayloadSchema,
  PollTasksRequestSchema,
  PollTasksResponseSchema,
  RespondTasksRequestSchema,
  RespondTasksResponseSchema,
  TaskAnswerSchema,
  TaskCompletedSchema,
  TaskQueueRefSchema,
  WorkerRefSchema,
} from "@tq/proto";
import * as tags from "./tags.ts";

const messages: readonly (readonly [DescMessage, Readonly<Record<string, number>>])[] = [
  [AddTasksRequestSchema, tags.addTasksRequestTags],
  [AddTasksResponseSchema, tags.addTasksResponseTags],
  [AddedTaskSchema, tags.addedTaskTags],
  [PollTasksRequestSchema, tags.pollTasksRequestTags],
  [PollTasksResponseSchema, tags.pollTasksResponseTags],
  [RespondTasksRequestSchema, tags.respondTasksRequestTags],
  [RespondTasksResponseSchema, tags.respondTasksResponseTags],
  [TaskAnswerSchema, tags.taskAnswerTags],
  [TaskCompletedSchema, tags.taskCompletedTags],
  [AnswerStatusSchema, tags.answerStatusTags],
  [NewTaskSchema, tags.newTaskTags],
  [DispatchedTaskSchema, tags.dispatchedTaskTags],
  [TaskQueueRefSchema, tags.taskQueueRefTags],
  [WorkerRefSchema, tags.workerRefTags],
  [PayloadSchema, tags.payloadTags],
  [TimestampSchema, tags.timeTags],
  [DurationSchema, tags.timeTags],
];

test("every table of tags is held to its message", () => {
  expect(new Set(messages.map(([, table]) => table))).toEqual(new Set(Object.values(tags)));
});

test.each(messages)("$typeName has the fields that are written by hand, with these tags", (schema, table) => {
  const contract = Object.keys(table).map((name) => {
    const field = schema.fields.find(({ localName }) => localName === name);
    return [name, field && field.number * 8 + wireTypeOf(field)];
  });
  expect(Object.entries(table)).toEqual(contract);
});

/** Lists are packed where they can be, as proto3 has it. */
function wireTypeOf(field: DescField): WireType {
  if (field.fieldKind === "enum") return WireType.Varint;
  if (field.fieldKind !== "scalar") return WireType.LengthDelimited;
  switch (field.scalar) {
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return WireType.LengthDelimited;
    case ScalarType.DOUBLE:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return WireType.Bit64;
    case ScalarType.FLOAT:
    case ScalarType.FIXED32:
    case ScalarType.SFIXED32:
      return WireType.Bit32;
    case ScalarType.INT32:
    case ScalarType.INT64:
    case ScalarType.UINT32:
    case ScalarType.UINT64:
    case ScalarType.SINT32:
    case ScalarType.SINT64:
    case ScalarType.BOOL:
      return WireType.Varint;
  }
}
