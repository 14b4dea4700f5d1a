/* The replies of the hot calls, as the messages would be encoded. */
import { toBinary } from "@bufbuild/protobuf";
import { AnswerStatusSchema, type AddedTask, type AnswerStatus, type PollTasksResponse } from "@tq/proto";
import {
  addedTaskTags,
  addTasksResponseTags,
  answerStatusTags,
  pollTasksResponseTags,
  respondTasksResponseTags,
  WireWriter,
} from "@tq/proto/wire";
import type { DispatchedTask } from "@tq/storage";
import { dispatchedOverheadBytes, writeDispatched } from "./dispatched.ts";

/** The reply of AddTasks. */
export function writeAdded(added: readonly Omit<AddedTask, "$typeName">[]): Uint8Array {
  const writer = new WireWriter(added.length * 48);
  for (const { id, run, existed, warnings } of added) {
    const mark = writer.open(addTasksResponseTags.tasks, 1);
    writer.text(addedTaskTags.id, id);
    writer.number(addedTaskTags.run, run);
    writer.bool(addedTaskTags.existed, existed);
    // Enums of a list are packed; those that there are take one byte each.
    if (warnings.length > 0) writer.bytes(addedTaskTags.warnings, Uint8Array.from(warnings));
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
  writeDispatched(writer, pollTasksResponseTags.tasks, tasks);
  for (const status of answerStatuses) writeStatus(writer, pollTasksResponseTags.answerStatuses, status);
  writer.bool(pollTasksResponseTags.registrationsWanted, registrationsWanted);
  writer.bool(pollTasksResponseTags.drainRequested, drainRequested);
  return writer.finish();
}

/** The reply of RespondTasks. */
export function writeResponded(statuses: readonly AnswerStatus[]): Uint8Array {
  const writer = new WireWriter(statuses.length * 4);
  for (const status of statuses) writeStatus(writer, respondTasksResponseTags.statuses, status);
  return writer.finish();
}

function writeStatus(writer: WireWriter, tag: number, status: AnswerStatus): void {
  if (status.error !== undefined) {
    writer.bytes(tag, toBinary(AnswerStatusSchema, status));
    return;
  }
  const mark = writer.open(tag, 1);
  writer.number(answerStatusTags.result, status.result);
  writer.close(mark);
}
