/*
 * Tasks that are encoded before the call that adds them is made: while another call is under way there is time for it, which
 * the server would wait for later.
 */
import type { AddTasksRequest, NewTask } from "@tq/proto";
import { addTasksRequestTags, WireWriter } from "@tq/proto/wire";
import { likelyTaskBytes, writeNewTask } from "./new-task.ts";

const ahead = Symbol("its tasks, encoded before");

/** A request whose tasks may have been encoded before it was made. */
interface WithTasksAhead extends AddTasksRequest {
  [ahead]?: readonly Uint8Array[];
}

/**
 * The fields that tasks are in a request of AddTasks. Undefined if one of them has text that is not plain, or cannot be written:
 * that is left to the call, which says why.
 */
export function encodeTasksAhead(tasks: readonly NewTask[]): Uint8Array | undefined {
  try {
    const writer = new WireWriter(tasks.length * likelyTaskBytes);
    for (const task of tasks) writeNewTask(writer, addTasksRequestTags.tasks, task);
    return writer.finish();
  } catch {
    return undefined;
  }
}

/** Says that the request's tasks are, one piece behind the other, what {@link encodeTasksAhead} made. */
export function setTasksAhead(request: AddTasksRequest, pieces: readonly Uint8Array[]): void {
  (request as WithTasksAhead)[ahead] = pieces;
}

/** What was said so of a request. */
export function tasksAheadOf(request: AddTasksRequest): readonly Uint8Array[] | undefined {
  return (request as WithTasksAhead)[ahead];
}
