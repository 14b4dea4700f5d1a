import type Database from "better-sqlite3";
import type { ClosedState, Priority } from "@tq/matching-core";
import type { ClosedTaskRecord, NewTask, OutcomeRecord } from "@tq/storage";
import { writeClosedTask, writeOptions, writeOutcome } from "./columns.ts";

/** A row of the task table, without its larger columns. */
export interface TaskRow {
  readonly seq: number;
  readonly namespace: number;
  readonly id: string;
  readonly run: number;
  readonly queue: number;
  readonly type: string;
  readonly priority: Priority;
  readonly key: string;
  readonly weight: number;
  readonly serial_key: string | null;
  readonly serial_place: number | null;
  readonly pass: number | null;
  readonly place: number | null;
  readonly added_at: number;
  readonly due_at: number | null;
  readonly start_to_close_ms: number | null;
  readonly attempts: number;
  readonly returns: number;
  readonly answered: number | null;
  readonly state: ClosedState | null;
  readonly closed_at: number | null;
  readonly kept_until: number | null;
  readonly headers: string | null;
  readonly options: Buffer | null;
  readonly history: Buffer | null;
  readonly heartbeat: Buffer | null;
  readonly closed_task: Buffer | null;
}

/** A row with everything. */
export interface FullTaskRow extends TaskRow {
  readonly outcome: Buffer | null;
  /** Emptied once it has been handed on, so that a started task does not hold it in memory. */
  input: Buffer;
}

const columns = `seq, namespace, id, run, queue, type, priority, key, weight, serial_key, serial_place, pass, place,
  added_at, due_at, start_to_close_ms, attempts, returns, answered, state, closed_at, kept_until, headers, options, history,
  heartbeat, closed_task`;

/** What an add needs to know of the present holder of an id. */
export interface IdHolder {
  readonly seq: number;
  readonly run: number;
  readonly state: ClosedState | null;
}

/** What placing a task knows when its row is written. */
export interface Placed {
  readonly pass: number;
  readonly place: number;
}

/** The rows of tasks. */
export class TaskRows {
  readonly #sql;

  constructor(db: Database.Database) {
    this.#sql = {
      holder: db.prepare<[number, string], IdHolder>("select seq, run, state from task where namespace = ? and id = ?"),
      insert: db.prepare(
        `insert into task(seq, namespace, id, run, queue, type, priority, key, weight, serial_key, serial_place, pass, place,
           added_at, due_at, start_to_close_ms, attempts, returns, headers, options, closed_task, input)
         values(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, ?, ?, ?, ?)`,
      ),
      full: db.prepare<[number], FullTaskRow>(`select ${columns}, outcome, input from task where seq = ?`),
      row: db.prepare<[number], TaskRow>(`select ${columns} from task where seq = ?`),
      byId: db.prepare<[number, string], FullTaskRow>(
        `select ${columns}, outcome, input from task where namespace = ? and id = ?`,
      ),
      scan: db.prepare<[number, number], FullTaskRow>(
        `select ${columns}, outcome, input from task where seq > ? order by seq limit ?`,
      ),
      placed: db.prepare("update task set pass = ?, place = ?, due_at = null where seq = ?"),
      inLine: db.prepare("update task set serial_place = ?, due_at = null where seq = ?"),
      retried: db.prepare(
        `update task set attempts = ?, returns = 0, answered = ?, history = ?, heartbeat = ?, due_at = ?, pass = null, place = null
         where seq = ?`,
      ),
      returned: db.prepare(
        "update task set returns = ?, answered = ?, heartbeat = ?, pass = ?, place = ? where seq = ?",
      ),
      closed: db.prepare(
        `update task set state = ?, closed_at = ?, kept_until = ?, attempts = ?, answered = ?, history = ?, outcome = ?,
           due_at = null, pass = null, place = null, serial_place = null where seq = ?`,
      ),
      delete: db.prepare("delete from task where seq = ?"),
    };
  }

  /** Who has this id, open or kept. */
  holder(namespaceId: number, id: string): IdHolder | undefined {
    return this.#sql.holder.get(namespaceId, id);
  }

  insert(
    task: NewTask,
    row: {
      readonly seq: number;
      readonly namespaceId: number;
      readonly run: number;
      readonly queueId: number;
      readonly serialPlace: number | undefined;
      readonly placed: Placed | undefined;
      readonly addedAt: number;
      readonly dueAt: number | undefined;
      readonly closedTask: ClosedTaskRecord | undefined;
    },
  ): void {
    this.#sql.insert.run(
      row.seq,
      row.namespaceId,
      task.id,
      row.run,
      row.queueId,
      task.type,
      task.priority,
      task.fairnessKey,
      task.fairnessWeight,
      task.serialKey ?? null,
      row.serialPlace ?? null,
      row.placed?.pass ?? null,
      row.placed?.place ?? null,
      row.addedAt,
      row.dueAt ?? null,
      task.timeouts.startToCloseMs ?? null,
      task.headers === undefined ? null : JSON.stringify(task.headers),
      writeOptions(task),
      row.closedTask === undefined ? null : writeClosedTask(row.closedTask),
      task.input,
    );
  }

  /** The whole row. Throws if there is none: only for rows that another table names. */
  full(seq: number): FullTaskRow {
    return present(this.#sql.full.get(seq), seq);
  }

  /** The row without its input and outcome. Throws if there is none. */
  row(seq: number): TaskRow {
    return present(this.#sql.row.get(seq), seq);
  }

  find(seq: number): TaskRow | undefined {
    return this.#sql.row.get(seq);
  }

  byId(namespaceId: number, id: string): FullTaskRow | undefined {
    return this.#sql.byId.get(namespaceId, id);
  }

  /** Up to `limit` rows behind a number, of whatever namespace, in order of adding. */
  scan(after: number, limit: number): Iterable<FullTaskRow> {
    return this.#sql.scan.iterate(after, limit);
  }

  /** It is placed now, and no longer scheduled. */
  setPlaced(seq: number, at: Placed): void {
    this.#sql.placed.run(at.pass, at.place, seq);
  }

  /** It stands in line for its serial key now, and is no longer scheduled. */
  setInLine(seq: number, serialPlace: number): void {
    this.#sql.inLine.run(serialPlace, seq);
  }

  /** An attempt failed, and another follows. */
  setRetried(
    seq: number,
    to: {
      readonly attempts: number;
      readonly answered: number | null;
      readonly history: Buffer;
      readonly heartbeat: Buffer | null;
      readonly dueAt: number;
    },
  ): void {
    this.#sql.retried.run(to.attempts, to.answered, to.history, to.heartbeat, to.dueAt, seq);
  }

  /** A delivery came back unused, to where it was. */
  setReturned(
    seq: number,
    at: Placed,
    to: { readonly returns: number; readonly answered: number | null; readonly heartbeat: Buffer | null },
  ): void {
    this.#sql.returned.run(to.returns, to.answered, to.heartbeat, at.pass, at.place, seq);
  }

  setClosed(
    seq: number,
    outcome: OutcomeRecord,
    to: {
      readonly keptUntil: number;
      readonly attempts: number;
      readonly answered: number | null;
      readonly history: Buffer | null;
    },
  ): void {
    const { state, closedAt } = outcome;
    this.#sql.closed.run(
      state,
      closedAt,
      to.keptUntil,
      to.attempts,
      to.answered,
      to.history,
      writeOutcome(outcome),
      seq,
    );
  }

  delete(seq: number): void {
    this.#sql.delete.run(seq);
  }
}

function present<Row>(row: Row | undefined, seq: number): Row {
  if (row === undefined) throw new Error(`task ${seq} is gone while a row names it`);
  return row;
}
