/*
 * What is leased to workers. Started tasks are bounded by slots, so they are mirrored in memory: a token is checked, a
 * lease renewed and a deadline kept without reading a row. The mirror is read anew when the store is opened, and after a
 * transaction that failed.
 *
 * Renewals are not written at all: after a start every lease gets one full length from then (a worker could not renew
 * while the server was away), so a stored renewal could never change what happens.
 */
import type Database from "better-sqlite3";
import type { TimeoutsRecord } from "@tq/storage";
import { Deliveries, readDelivery } from "./deliveries.ts";
import { changeIn, type FewCounts } from "./few-counts.ts";
import { endOf, startedOf, type Delivery, type Started } from "./started-task.ts";
import type { TaskRow } from "./task-row.ts";
import { ChurnMap, Deadlines, attemptGraceUntil, leaseUntilAfterStart, type LeaseRef } from "@tq/matching-core";
import type { Writes } from "./journal/writes.ts";

/** The tasks that are leased. */
export class StartedTasks {
  readonly #bySeq = new ChurnMap<number, Started>();
  readonly #byPoll = new ChurnMap<string, Delivery[]>();
  /** By queue, then by worker. */
  readonly #byQueue = new ChurnMap<number, FewCounts<string>>();
  /** By queue, then by fairness key. */
  readonly #keysByQueue = new ChurnMap<number, FewCounts<string>>();
  /** Of the first of each delivery's tasks: they are granted together, and mostly end before. */
  readonly #deadlines = new Deadlines<Delivery>();
  /** Those with a cancel request. */
  readonly #toCancel = new Set<Started>();
  /** What the present transaction took out: should it fail, they are leased as they were. */
  readonly #ended: Started[] = [];
  readonly #deliveries: Deliveries;
  readonly #sql;

  constructor(db: Database.Database, writes: Writes) {
    this.#deliveries = new Deliveries(db, writes);
    this.#sql = {
      cancel: writes.prepare(
        `insert into attempt_note(seq, cancel_reason, cancel_at) values(?, ?, ?)
         on conflict do update set cancel_reason = excluded.cancel_reason, cancel_at = excluded.cancel_at`,
      ),
      heartbeat: writes.prepare(
        `insert into attempt_note(seq, heartbeat_at, heartbeat) values(?, ?, ?)
         on conflict do update set heartbeat_at = excluded.heartbeat_at, heartbeat = excluded.heartbeat`,
      ),
      heartbeatOf: db.prepare<[number], Buffer | null>("select heartbeat from attempt_note where seq = ?").pluck(),
      notes: db.prepare<[], NoteRow>("select seq, cancel_reason, cancel_at, heartbeat_at from attempt_note"),
      deleteNote: writes.prepare("delete from attempt_note where seq = ?"),
    };
  }

  /** The transaction is on disk. */
  committed(): void {
    this.#ended.length = 0;
  }

  /** Notes what the transaction changed. At its end. */
  flush(): void {
    this.#deliveries.flush();
  }

  /** Writes what the journal alone has. */
  settle(): void {
    this.#deliveries.settle();
  }

  /**
   * Reads the mirror anew.
   *
   * @param rowOf the row of a task; undefined: it is gone
   * @param now gives every lease a full length from then; undefined: keeps the ends that are known
   */
  reload(
    rowOf: (seq: number) => TaskRow | undefined,
    timeoutsOf: (options: Buffer | null) => TimeoutsRecord,
    now: number | undefined,
  ): void {
    // Read first: if that fails, nothing is forgotten.
    const notes = new Map(this.#sql.notes.all().map((note) => [note.seq, note]));
    const deliveries = this.#deliveries.rows().map((row) => ({
      id: row.id,
      tasks: readDelivery(row).flatMap((delivered) => {
        const task = rowOf(delivered.seq);
        return task === undefined || task.state !== null ? [] : [{ delivered, task }];
      }),
    }));
    const known = new Map([...this.#bySeq.valuesNow(), ...this.#ended].map((task) => [task.leaseNo, task]));
    for (const { delivery } of this.#bySeq.values()) if (delivery !== undefined) this.#deadlines.delete(delivery);
    this.#bySeq.clear();
    this.#byPoll.clear();
    this.#byQueue.clear();
    this.#keysByQueue.clear();
    this.#toCancel.clear();
    this.#deliveries.reset();
    this.committed();
    for (const { id, tasks } of deliveries) {
      const started = tasks.map(({ delivered, task }): Started => {
        const note = notes.get(task.seq);
        const { heartbeatMs, scheduleToCloseMs } = timeoutsOf(task.options);
        const { leaseMs } = delivered;
        const granted = delivered.startedAt + leaseMs;
        const before = known.get(delivered.leaseNo);
        const { cancel_reason = null, cancel_at = null, heartbeat_at = null } = note ?? {};
        return {
          ...delivered,
          namespaceId: task.namespace,
          queueId: task.queue,
          type: task.type,
          priority: task.priority,
          key: task.key,
          weight: task.weight,
          startToCloseMs: task.start_to_close_ms,
          heartbeatMs,
          closeAt: scheduleToCloseMs === undefined ? undefined : task.added_at + scheduleToCloseMs,
          cancel: cancel_at === null ? undefined : { reason: cancel_reason ?? "", at: cancel_at },
          heartbeatAt: before?.heartbeatAt ?? Math.max(heartbeat_at ?? delivered.startedAt, now ?? 0),
          hasDetails: heartbeat_at !== null,
          graceUntil: before?.graceUntil ?? (now === undefined ? 0 : attemptGraceUntil(leaseMs, now)),
          delivery: undefined,
          row: undefined,
          leaseUntil: before?.leaseUntil ?? (now === undefined ? granted : leaseUntilAfterStart(granted, leaseMs, now)),
        };
      });
      const delivery = this.#deliveries.remember(id, started);
      for (const task of started) this.#remember(task, delivery);
    }
  }

  /** The task, if this lease of it is current. */
  current(lease: LeaseRef): Started | undefined {
    const task = this.#bySeq.get(lease.seq);
    return task?.leaseNo === lease.leaseNo ? task : undefined;
  }

  get(seq: number): Started | undefined {
    return this.#bySeq.get(seq);
  }

  /** Everything that is leased, in order of leasing. */
  all(): Iterable<Started> {
    return this.#bySeq.values();
  }

  /** How many tasks of a queue each worker has. */
  countByWorker(queueId: number): ReadonlyMap<string, number> {
    return new Map(this.#byQueue.get(queueId));
  }

  /** How many tasks of a fairness key are started. */
  countOfKey(queueId: number, key: string): number {
    return this.#keysByQueue.get(queueId)?.get(key) ?? 0;
  }

  /** Everything leased to this worker by this poll. */
  ofPoll(namespaceId: number, workerId: string, pollId: string): readonly Started[] {
    return (this.#byPoll.get(pollKey({ namespaceId, workerId, pollId })) ?? []).flatMap(startedOf);
  }

  /** Everything leased that has a cancel request, in order of asking. */
  toCancel(): Iterable<Started> {
    return this.#toCancel;
  }

  /** @param offer what it was granted to */
  add(task: Started, offer: object): void {
    this.#remember(task, this.#deliveries.add(task, offer));
  }

  /** @param completed it will be closed or gone by the end of the transaction, and never open again under its number */
  end(task: Started, completed: boolean): void {
    this.#ended.push(task);
    this.#bySeq.delete(task.seq);
    if (task.cancel !== undefined) this.#toCancel.delete(task);
    const delivery = this.#deliveries.end(task, completed);
    if (delivery.left === 0) this.#forget(delivery, task);
    if (task.cancel !== undefined || task.hasDetails) this.#sql.deleteNote.run(task.seq);
    this.#count(task, -1);
  }

  /** Moves the end of a lease: one length from now. */
  renew(task: Started, now: number): void {
    // The deadline is looked at again when it comes; moving it at every renewal would be work for nothing.
    task.leaseUntil = Math.max(task.leaseUntil, now + task.leaseMs);
  }

  askCancel(task: Started, reason: string, at: number): void {
    task.cancel = { reason, at };
    this.#toCancel.add(task);
    this.#sql.cancel.run(task.seq, reason, at);
  }

  heartbeat(task: Started, details: Uint8Array | undefined, now: number): void {
    task.heartbeatAt = now;
    if (details === undefined) return;
    task.hasDetails = true;
    this.#sql.heartbeat.run(task.seq, now, details);
  }

  /** What its last heartbeat in this attempt said. */
  heartbeatDetails(task: Started): Buffer | undefined {
    return task.hasDetails ? (this.#sql.heartbeatOf.get(task.seq) ?? undefined) : undefined;
  }

  /**
   * Up to `limit` tasks whose lease or attempt is over, in order of that; of more than so many, those that were granted
   * with the first. Take them out, or they come again.
   */
  due(now: number, limit: number): Started[] {
    const due: Started[] = [];
    const again: Delivery[] = [];
    while (due.length < limit) {
      const deliveries = this.#deadlines.takeDue(now, limit - due.length);
      if (deliveries.length === 0) break;
      for (const delivery of deliveries) {
        const over = startedOf(delivery).filter((task) => endOf(task) <= now);
        if (over.length === 0) this.#setDue(delivery, Math.min(...startedOf(delivery).map(endOf)));
        else again.push(delivery);
        due.push(...over.slice(0, limit - due.length));
      }
    }
    // Kept until the caller takes its tasks out, should it fail, and looked at again for those that are not due.
    for (const delivery of again) this.#setDue(delivery, now);
    return due.sort((a, b) => endOf(a) - endOf(b) || a.seq - b.seq);
  }

  /** When the next one may be over. */
  nextDue(): number | undefined {
    return this.#deadlines.next();
  }

  /** A task, and the delivery that it stands in. */
  #remember(task: Started, delivery: Delivery): void {
    this.#bySeq.set(task.seq, task);
    this.#count(task, 1);
    if (task.cancel !== undefined) this.#toCancel.add(task);
    // Its first task: each has an end.
    if (delivery.dueAt === Infinity && task.pollId !== "") keep(this.#byPoll, pollKey(task), delivery);
    const until = endOf(task);
    if (until < delivery.dueAt) this.#setDue(delivery, until);
  }

  /** All tasks of a delivery have ended, this one the last. */
  #forget(delivery: Delivery, { namespaceId, workerId, pollId }: Started): void {
    this.#deadlines.delete(delivery);
    delivery.dueAt = Infinity;
    if (pollId === "") return;
    drop(this.#byPoll, pollKey({ namespaceId, workerId, pollId }), delivery);
  }

  #setDue(delivery: Delivery, at: number): void {
    delivery.dueAt = at;
    this.#deadlines.set(delivery, at);
  }

  #count({ queueId, workerId, key }: Started, by: 1 | -1): void {
    changeIn(this.#byQueue, queueId, workerId, by);
    changeIn(this.#keysByQueue, queueId, key, by);
  }
}

interface NoteRow {
  readonly seq: number;
  readonly cancel_reason: string | null;
  readonly cancel_at: number | null;
  readonly heartbeat_at: number | null;
}

function pollKey({ namespaceId, workerId, pollId }: Pick<Started, "namespaceId" | "workerId" | "pollId">): string {
  return `${namespaceId}\u0000${workerId}\u0000${pollId}`;
}

function keep(index: ChurnMap<string, Delivery[]>, key: string, delivery: Delivery): void {
  const present = index.get(key);
  if (present === undefined) index.set(key, [delivery]);
  else present.push(delivery);
}

function drop(index: ChurnMap<string, Delivery[]>, key: string, delivery: Delivery): void {
  const left = (index.get(key) ?? []).filter((one) => one !== delivery);
  if (left.length === 0) index.delete(key);
  else index.set(key, left);
}
