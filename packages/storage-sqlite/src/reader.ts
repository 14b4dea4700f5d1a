import type { TaskQueue, TaskQueueKind } from "@tq/matching-core";
import {
  emptyTaskQueue,
  type EventRecord,
  type HeldTaskRecord,
  type NamespaceDescription,
  type Page,
  type TaskFilter,
  type TaskQueueRecord,
  type TaskRecord,
} from "@tq/storage";
import { readClosedTask, readHistory, readOptions, readOutcome } from "./columns.ts";
import { lastFailure, rowFilter, stateOf } from "./filter.ts";
import { describe } from "./queue-record.ts";
import type { QueueState } from "./queues.ts";
import type { FullTaskRow } from "./task-row.ts";
import type { Parts } from "./transaction.ts";

/** Answers questions. Between transactions only: it reads what is committed. */
export class Reader {
  readonly #parts: Parts;
  readonly #now: () => number;

  /** @param now time of the last commit */
  constructor(parts: Parts, now: () => number) {
    this.#parts = parts;
    this.#now = now;
  }

  getTasks(namespace: string, ids: readonly string[]): readonly (TaskRecord | undefined)[] {
    const namespaceId = this.#parts.namespaces.idOf(namespace);
    if (namespaceId === undefined) return ids.map(() => undefined);
    return ids.map((id) => {
      const row = this.#parts.tasks.byId(namespaceId, id);
      if (row === undefined) return undefined;
      const readyAt = this.#readyAt(row);
      return { ...this.#record(row), ...(readyAt !== undefined && { readyAt }) };
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
    const matches = rowFilter(this.#parts, namespace, filter);
    let after = page.after === undefined ? 0 : Number(page.after);
    let examined = 0;
    let bytes = 0;
    // One row at a time: their payloads together may be large. Those of other namespaces count as looked at: reading is
    // what a list costs.
    for (const row of this.#rows(namespaceId, filter, after, page.examine)) {
      examined += 1;
      after = row.seq;
      if (!matches(row, () => lastFailure(row))) continue;
      items.push(this.#record(row));
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

  startedByWorker(namespace: string): ReadonlyMap<string, number> {
    const namespaceId = this.#parts.namespaces.idOf(namespace);
    const counts = new Map<string, number>();
    for (const task of this.#parts.started.all()) {
      if (task.namespaceId === namespaceId) counts.set(task.workerId, (counts.get(task.workerId) ?? 0) + 1);
    }
    return counts;
  }

  heldBy(namespace: string, workerId: string, limit: number, maxBytes: number): readonly HeldTaskRecord[] {
    const { namespaces, queues, started, tasks } = this.#parts;
    const namespaceId = namespaces.idOf(namespace);
    const held: HeldTaskRecord[] = [];
    let bytes = 0;
    for (const task of started.all()) {
      if (held.length === limit || bytes > maxBytes) break;
      if (task.namespaceId !== namespaceId || task.workerId !== workerId) continue;
      const row = tasks.row(task.seq);
      const heartbeatDetails = started.heartbeatDetails(task) ?? row.heartbeat;
      bytes += heartbeatDetails?.length ?? 0;
      held.push({
        id: row.id,
        queue: queues.byId(row.queue).queue,
        type: row.type,
        attempt: row.attempts + 1,
        startedAt: task.startedAt,
        ...(heartbeatDetails !== null && { heartbeatDetails }),
      });
    }
    return held;
  }

  listEvents(
    namespace: string,
    filter: { readonly queueName?: string; readonly queueKind?: TaskQueueKind },
    page: { readonly size: number; readonly after?: string },
  ): Page<EventRecord> {
    const namespaceId = this.#parts.namespaces.idOf(namespace);
    return namespaceId === undefined ? { items: [] } : this.#parts.events.list(namespaceId, namespace, filter, page);
  }

  describeNamespace(name: string): NamespaceDescription | undefined {
    const { namespaces, queues } = this.#parts;
    const namespace = namespaces.get(name);
    const id = namespaces.idOf(name);
    return namespace === undefined || id === undefined ? undefined : { namespace, ...queues.sumOf(id) };
  }

  /** Up to `limit` rows behind a number, in order of adding; if the filter names ids, no others. */
  *#rows(namespaceId: number, { ids = [] }: TaskFilter, after: number, limit: number): Iterable<FullTaskRow> {
    const { tasks } = this.#parts;
    if (ids.length === 0) yield* tasks.scan(after, limit);
    else for (const seq of tasks.numbersOf(namespaceId, ids, after).slice(0, limit)) yield tasks.full(seq);
  }

  #describe(state: QueueState): TaskQueueRecord {
    const { started, ages } = this.#parts;
    return describe(state, started.countByWorker(state.id), ages.oldest(state), this.#now());
  }

  /** Since when a task waits; undefined: it does not, or for its time. */
  #readyAt(row: FullTaskRow): number | undefined {
    const { queues, order, serial, started } = this.#parts;
    if (row.state !== null || row.due_at !== null || started.get(row.seq) !== undefined) return undefined;
    const queue = queues.byId(row.queue);
    const { pass, place, serial_key: key, serial_place: inLine } = row;
    if (pass !== null && place !== null) return order.since(queue, row, { pass, place });
    return key === null || inLine === null ? undefined : serial.since(queue, key, inLine);
  }

  #record(row: FullTaskRow): TaskRecord {
    const { queues, started, limits } = this.#parts;
    const ofQueue = queues.byId(row.queue);
    const { queue } = ofQueue;
    const lease = started.get(row.seq);
    const state = stateOf(row, lease);
    const keyHeldBack = state === "ready" ? limits.heldBack(ofQueue, row.key) : undefined;
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
      ...(keyHeldBack !== undefined && { keyHeldBack }),
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
