/* The replies of the hot calls, as the messages would be encoded. */
import { toBinary } from "@bufbuild/protobuf";
import { AnswerStatusSchema, type AddedTask, type AnswerStatus, type PollTasksResponse } from "@tq/proto";
import { WireWriter } from "@tq/proto/wire";
import type { DispatchedTask } from "@tq/storage";
import { dispatchedOverheadBytes, writeDispatched } from "./dispatched.ts";

const addedTag = 0x0a;
const addedTags = { id: 0x0a, run: 0x10, existed: 0x18, warnings: 0x22 } as const;
const respondedTag = 0x0a;
const polledTags = { tasks: 0x0a, answerStatuses: 0x12, registrationsWanted: 0x18, drainRequested: 0x20 } as const;
const resultTag = 0x08;

/** The reply of AddTasks. */
export function writeAdded(added: readonly Omit<AddedTask, "$typeName">[]): Uint8Array {
  const writer = new WireWriter(added.length * 48);
  for (const { id, run, existed, warnings } of added) {
    const mark = writer.open(addedTag, 1);
    writer.text(addedTags.id, id);
    writer.number(addedTags.run, run);
    writer.bool(addedTags.existed, existed);
    // Enums of a list are packed; those that there are take one byte each.
    if (warnings.length > 0) writer.bytes(addedTags.warnings, Uint8Array.from(warnings));
    writer.close(mark);
  }
  return writer.finish();
}

/** The reply of PollTasks. */
export function writePolled(
  reply: Omit<PollTasksResponse, "$typeName" | "$unknown" | "tasks"> & { readonly tasks: readonly DispatchedTask[] },
): Uint8Array {
  const { tasks, answerStatuses, registrationsWanted, drainRequested } = reply;
  let inputBytes = 0;
  for (const { input } of tasks) inputBytes += input.length;
  const writer = new WireWriter(inputBytes + tasks.length * dispatchedOverheadBytes + answerStatuses.length * 4 + 4);
  for (const task of tasks) writeDispatched(writer, polledTags.tasks, task);
  for (const status of answerStatuses) writeStatus(writer, polledTags.answerStatuses, status);
  writer.bool(polledTags.registrationsWanted, registrationsWanted);
  writer.bool(polledTags.drainRequested, drainRequested);
  return writer.finish();
}

/** The reply of RespondTasks. */
export function writeResponded(statuses: readonly AnswerStatus[]): Uint8Array {
  const writer = new WireWriter(statuses.length * 4);
  for (const status of statuses) writeStatus(writer, respondedTag, status);
  return writer.finish();
}

function writeStatus(writer: WireWriter, tag: number, status: AnswerStatus): void {
  if (status.error !== undefined) {
    writer.bytes(tag, toBinary(AnswerStatusSchema, status));
    return;
  }
  const mark = writer.open(tag, 1);
  writer.number(resultTag, status.result);
  writer.close(mark);
}
