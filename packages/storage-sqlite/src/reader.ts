import type { TaskQueue, TaskQueueKind, TaskState } from "@tq/matching-core";
import { emptyTaskQueue, type Page, type TaskFilter, type TaskQueueRecord, type TaskRecord } from "@tq/storage";
import { readClosedTask, readHistory, readOptions, readOutcome } from "./columns.ts";
import { describe } from "./queue-record.ts";
import type { QueueState } from "./queues.ts";
import type { FullTaskRow } from "./tasks.ts";
import type { Parts } from "./transaction.ts";

/** Answers questions. Between transactions only: it reads what is committed. */
export class Reader {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  getTasks(namespace: string, ids: readonly string[]): readonly (TaskRecord | undefined)[] {
    const namespaceId = this.#parts.namespaces.idOf(namespace);
    if (namespaceId === undefined) return ids.map(() => undefined);
    return ids.map((id) => {
      const row = this.#parts.tasks.byId(namespaceId, id);
      return row === undefined ? undefined : this.#record(row);
    });
  }

  listTasks(
    namespace: string,
    filter: TaskFilter,
    page: { readonly size: number; readonly after?: string; readonly examine: number; readonly maxBytes: number },
  ): Page<TaskRecord> {
    const namespaceId = this.#parts.namespaces.idOf(namespace);
    if (namespaceId === undefined) return { items: [] };
    const items: TaskRecord[] = [];
    let after = page.after === undefined ? 0 : Number(page.after);
    let examined = 0;
    let bytes = 0;
    // One row at a time: their payloads together may be large.
    for (const row of this.#parts.tasks.scan(after, page.examine)) {
      examined += 1;
      after = row.seq;
      // Those of other namespaces count as looked at: reading is what a list costs.
      if (row.namespace !== namespaceId) continue;
      const record = this.#record(row);
      if (!matches(record, filter)) continue;
      items.push(record);
      bytes += row.input.length + (row.outcome?.length ?? 0);
      if (items.length === page.size || bytes >= page.maxBytes) return { items, next: String(after) };
    }
    return examined < page.examine ? { items } : { items, next: String(after) };
  }

  listTaskQueues(
    namespace: string,
    filter: { readonly namePrefix: string; readonly kind?: TaskQueueKind },
    page: { readonly size: number; readonly after?: string },
  ): Page<TaskQueueRecord> {
    const { queues } = this.#parts;
    const found = queues.list(namespace, filter, page.size + 1, page.after);
    const items = found.slice(0, page.size).map((state) => this.#describe(state));
    const last = items.at(-1)?.queue;
    const more = found.length > page.size && last !== undefined;
    return { items, ...(more && { next: JSON.stringify([last.name, last.kind]) }) };
  }

  describeTaskQueue(queue: TaskQueue): TaskQueueRecord {
    const state = this.#parts.queues.find(queue);
    return state === undefined ? emptyTaskQueue(queue) : this.#describe(state);
  }

  countLeased(namespace: string, workerId: string, pollId: string): number {
    const namespaceId = this.#parts.namespaces.idOf(namespace);
    return namespaceId === undefined ? 0 : this.#parts.started.ofPoll(namespaceId, workerId, pollId).length;
  }

  #describe(state: QueueState): TaskQueueRecord {
    const { started, ages } = this.#parts;
    return describe(state, started.countByWorker(state.id), ages.oldest(state));
  }

  #record(row: FullTaskRow): TaskRecord {
    const { queues, started } = this.#parts;
    const { queue } = queues.byId(row.queue);
    const lease = started.get(row.seq);
    const state: TaskState = row.state ?? (lease ? "started" : row.due_at === null ? "ready" : "scheduled");
    return {
      seq: row.seq,
      id: row.id,
      run: row.run,
      queue,
      type: row.type,
      state,
      attempt: row.attempts + (lease === undefined ? 0 : 1),
      priority: row.priority,
      fairnessKey: row.key,
      fairnessWeight: row.weight,
      ...(row.serial_key !== null && { serialKey: row.serial_key }),
      addedAt: row.added_at,
      ...(row.due_at !== null && { dueAt: row.due_at }),
      waitsForSerialKey: state === "ready" && row.pass === null,
      ...(lease && {
        started: {
          at: lease.startedAt,
          workerId: lease.workerId,
          leaseNo: lease.leaseNo,
          leaseUntil: lease.leaseUntil,
          cancelRequested: lease.cancel !== undefined,
        },
      }),
      ...(row.state !== null && { outcome: readOutcome(row.outcome, row.state, row.closed_at ?? 0) }),
      ...(row.kept_until !== null && { keptUntil: row.kept_until }),
      input: row.input,
      ...(row.headers !== null && { headers: JSON.parse(row.headers) as Record<string, string> }),
      ...readOptions(row.options, queue.kind, row.start_to_close_ms),
      failedAttempts: readHistory(row.history),
      ...(row.closed_task !== null && { closedTask: readClosedTask(row.closed_task) }),
    };
  }
}

/** Whether everything that the filter names holds. */
function matches(task: TaskRecord, filter: TaskFilter): boolean {
  const among = <Value>(values: readonly Value[] | undefined, value: Value) =>
    values === undefined || values.length === 0 || values.includes(value);
  const failure = task.outcome?.failure ?? task.failedAttempts.at(-1)?.failure;
  const closedAt = task.outcome?.closedAt;
  return (
    (filter.queueName === undefined || task.queue.name === filter.queueName) &&
    (filter.queueKind === undefined || task.queue.kind === filter.queueKind) &&
    among(filter.states, task.state) &&
    among(filter.types, task.type) &&
    (filter.idPrefix === undefined || task.id.startsWith(filter.idPrefix)) &&
    (filter.workerId === undefined || task.started?.workerId === filter.workerId) &&
    among(filter.priorities, task.priority) &&
    among(filter.fairnessKeys, task.fairnessKey) &&
    among<string | undefined>(filter.serialKeys, task.serialKey) &&
    (filter.addedAfter === undefined || task.addedAt > filter.addedAfter) &&
    (filter.addedBefore === undefined || task.addedAt < filter.addedBefore) &&
    (filter.closedAfter === undefined || (closedAt !== undefined && closedAt > filter.closedAfter)) &&
    (filter.closedBefore === undefined || (closedAt !== undefined && closedAt < filter.closedBefore)) &&
    (filter.failureType === undefined || failure?.type === filter.failureType) &&
    (filter.failureText === undefined ||
      failure?.message.toLowerCase().includes(filter.failureText.toLowerCase()) === true)
  );
}
