import type { AddTasksRequest } from "@tq/proto";
import type { AddOperation, NewTask } from "@tq/storage";
import { CallRefused } from "../errors/call-refused.ts";
import { bounds } from "../validation/bounds.ts";
import { limitItems } from "../validation/numbers.ts";
import { Violations } from "../validation/violations.ts";
import { readNewTask, type NewTaskReader } from "./new-task.ts";
import { readRequestKey } from "./request-key.ts";
import type { Writable } from "./writable.ts";

/** A batch to add, whichever way its tasks come. */
export interface AddBatch {
  readonly requestId: string;
  readonly count: number;
  readonly readTask: (index: number, reader: NewTaskReader) => NewTask;
}

/** A batch to add, every task of it checked. Throws {@link CallRefused} with all that is wrong. */
export function readAddTasks(request: AddTasksRequest, namespace: string, makeId: () => string): AddOperation {
  const { requestId, tasks } = request;
  const readTask: AddBatch["readTask"] = (i, reader) => {
    const message = tasks[i];
    if (message === undefined) throw new RangeError(`the batch has no task ${i}`);
    return readNewTask(message, "named", reader);
  };
  return readAddBatch({ requestId, count: tasks.length, readTask }, namespace, makeId);
}

/** The same, of a batch whose tasks are read one by one. */
export function readAddBatch(batch: AddBatch, namespace: string, makeId: () => string): AddOperation {
  const violations = new Violations();
  const key = readRequestKey(batch.requestId, namespace, violations);
  const tasks: NewTask[] = [];
  const madeIds = new Set<string>();
  const make = (): string => {
    const id = makeId();
    madeIds.add(id);
    return id;
  };
  if (limitItems(batch.count, bounds.tasksPerAdd, "tasks", violations)) {
    const reader = { namespace, violations, makeId: make };
    for (let i = 0; i < batch.count; i++) {
      violations.within("tasks", i);
      tasks.push(batch.readTask(i, reader));
    }
  }
  violations.throwIfAny();
  refuseDuplicates(tasks);
  const operation: Writable<AddOperation> = { verb: "add", tasks };
  if (key !== undefined) operation.request = key;
  if (madeIds.size > 0) operation.madeIds = madeIds;
  return operation;
}

function refuseDuplicates(tasks: readonly NewTask[]): void {
  if (tasks.length < 2) return;
  const ids = new Set<string>();
  for (let i = 0; i < tasks.length; i++) {
    const id = tasks[i]?.id ?? "";
    ids.add(id);
    if (ids.size > i) continue;
    const first = tasks.findIndex((task) => task.id === id);
    const reason = "DUPLICATE_ID_IN_BATCH";
    throw new CallRefused(reason, {
      subject: id,
      fields: [
        { reason, field: `tasks[${first}].id`, description: `is the same as tasks[${i}].id` },
        { reason, field: `tasks[${i}].id`, description: `is the same as tasks[${first}].id` },
      ],
    });
  }
}
