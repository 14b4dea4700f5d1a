import type Database from "better-sqlite3";
import type { ClosedState, Priority } from "@tq/matching-core";
import type { ClosedTaskRecord, Encoded, NewTask, OutcomeRecord } from "@tq/storage";
import { readOptions, writeClosedTask, writeOptions, writeOutcome, type TaskOptions } from "./columns.ts";
import type { QueueState } from "./queues.ts";
import { readInput, writeInput } from "./input-column.ts";
import { steady } from "./steady.ts";

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
  /** These two are emptied once they have been handed on, so that a started task does not hold them in memory. */
  input: Buffer;
  closed_task: Buffer | null;
}

/** A row with everything, as it comes out of the file. */
type StoredTaskRow = Omit<FullTaskRow, "input"> & { readonly input: Buffer | string };

/** With its input as bytes. The row is a new one already: it is changed, not copied. */
function withInput(row: StoredTaskRow): FullTaskRow {
  return Object.assign(row, { input: readInput(row.input) });
}

/** The columns that filters ask of, but for failures: short ones, so that many rows can be held at once. */
export type TaskSketch = Pick<TaskRow, (typeof sketchColumns)[number]>;

const sketchColumns = [
  "seq",
  "namespace",
  "id",
  "queue",
  "type",
  "priority",
  "key",
  "serial_key",
  "added_at",
  "due_at",
  "state",
  "closed_at",
] as const;

const columns = `seq, namespace, id, run, queue, type, priority, key, weight, serial_key, serial_place, pass, place,
  added_at, due_at, start_to_close_ms, attempts, returns, answered, state, closed_at, kept_until, headers, options, history,
  heartbeat, closed_task`;

/** What every task that is added has. */
const plainColumns = `seq, namespace, id, run, queue, type, priority, key, weight, pass, place, added_at, start_to_close_ms,
  input`;

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

/** So few rows are deleted faster one by one. */
const fewToDelete = 8;

/** The rows of tasks. */
export class TaskRows {
  /** Deleted together, with one statement, before anything could see that they are still there. */
  readonly #toDelete = new Set<number>();
  readonly #sql;

  constructor(db: Database.Database) {
    this.#sql = {
      holder: db.prepare<[number, string], IdHolder>("select seq, run, state from task where namespace = ? and id = ?"),
      holders: db.prepare<[number, string], IdHolder & { readonly id: string }>(
        "select id, seq, run, state from task where namespace = ? and id in (select value from json_each(?))",
      ),
      // Most tasks: what is not bound costs nothing.
      insertPlain: db.prepare(
        `insert into task(${plainColumns}, attempts, returns) values(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0)`,
      ),
      insert: db.prepare(
        `insert into task(${plainColumns}, serial_key, serial_place, due_at, headers, options, closed_task, attempts, returns)
         values(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0)`,
      ),
      full: db.prepare<[number], StoredTaskRow>(`select ${columns}, outcome, input from task where seq = ?`),
      row: db.prepare<[number], TaskRow>(`select ${columns} from task where seq = ?`),
      byId: db.prepare<[number, string], StoredTaskRow>(
        `select ${columns}, outcome, input from task where namespace = ? and id = ?`,
      ),
      scan: db.prepare<[number, number], StoredTaskRow>(
        steady(`select ${columns}, outcome, input from task where seq > ? order by seq limit ?`),
      ),
      sketches: db.prepare<[number, number, number], TaskSketch>(
        steady(`select ${sketchColumns.join(", ")} from task where seq > ? and seq <= ? order by seq limit ?`),
      ),
      failing: db.prepare<[number], Pick<FullTaskRow, "state" | "closed_at" | "outcome" | "history">>(
        "select state, closed_at, outcome, history from task where seq = ?",
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
      moved: db.prepare(
        `update task set queue = ?, type = ?, options = ?, serial_place = ?, pass = ?, place = ?, returns = ?,
           answered = ?, heartbeat = ?
         where seq = ?`,
      ),
      input: db.prepare("update task set input = ? where seq = ?"),
      redriven: db.prepare(
        `update task set seq = ?, run = run + 1, added_at = ?, serial_place = ?, pass = ?, place = ?, attempts = 0, returns = 0,
           answered = null, state = null, closed_at = null, kept_until = null, outcome = null, heartbeat = null
         where seq = ?`,
      ),
      closed: db.prepare(
        `update task set state = ?, closed_at = ?, kept_until = ?, attempts = ?, answered = ?, history = ?, outcome = ?,
           due_at = null, pass = null, place = null, serial_place = null where seq = ?`,
      ),
      delete: db.prepare("delete from task where seq = ?"),
      deleteAll: db.prepare("delete from task where seq in (select value from json_each(?))"),
    };
  }

  /** Forgets what is in memory: the transaction failed. */
  reset(): void {
    this.#toDelete.clear();
  }

  /** Who has this id, open or kept. */
  holder(namespaceId: number, id: string): IdHolder | undefined {
    this.flush();
    return this.#sql.holder.get(namespaceId, id);
  }

  /** The same for many ids at once. */
  holders(namespaceId: number, ids: readonly string[]): ReadonlyMap<string, IdHolder> {
    this.flush();
    return new Map(this.#sql.holders.all(namespaceId, JSON.stringify(ids)).map((row) => [row.id, row]));
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
      readonly options: TaskOptions;
    },
  ): void {
    this.flush();
    const { placed, options } = row;
    const given = writeOptions(options, task.queue.kind);
    const isPlain =
      given === null &&
      placed !== undefined &&
      row.serialPlace === undefined &&
      task.headers === undefined &&
      row.closedTask === undefined;
    const plain = [
      row.seq,
      row.namespaceId,
      task.id,
      row.run,
      row.queueId,
      task.type,
      task.priority,
      task.fairnessKey,
      task.fairnessWeight,
      placed?.pass ?? null,
      placed?.place ?? null,
      row.addedAt,
      options.timeouts.startToCloseMs ?? null,
      writeInput(task.input),
    ];
    if (isPlain) {
      this.#sql.insertPlain.run(...plain);
      return;
    }
    this.#sql.insert.run(
      ...plain,
      task.serialKey ?? null,
      row.serialPlace ?? null,
      row.dueAt ?? null,
      task.headers === undefined ? null : JSON.stringify(task.headers),
      given,
      row.closedTask === undefined ? null : writeClosedTask(row.closedTask),
    );
  }

  /** The whole row. Throws if there is none: only for rows that another table names. */
  full(seq: number): FullTaskRow {
    return withInput(present(this.#sql.full.get(seq), seq));
  }

  /** The row without its input and outcome. Throws if there is none. */
  row(seq: number): TaskRow {
    return present(this.#sql.row.get(seq), seq);
  }

  find(seq: number): TaskRow | undefined {
    this.flush();
    return this.#sql.row.get(seq);
  }

  byId(namespaceId: number, id: string): FullTaskRow | undefined {
    this.flush();
    const row = this.#sql.byId.get(namespaceId, id);
    return row && withInput(row);
  }

  /** Up to `limit` rows behind a number, of whatever namespace, in order of adding. */
  *scan(after: number, limit: number): Iterable<FullTaskRow> {
    this.flush();
    for (const row of this.#sql.scan.iterate(after, limit)) yield withInput(row);
  }

  /** The same without their larger columns, and no further than `upTo`. */
  sketches(after: number, upTo: number, limit: number): TaskSketch[] {
    this.flush();
    return this.#sql.sketches.all(after, upTo, limit);
  }

  /** The numbers of tasks by their ids, behind a number, in order of adding. */
  numbersOf(namespaceId: number, ids: readonly string[], after: number): number[] {
    return [...new Set(ids)]
      .map((id) => this.holder(namespaceId, id)?.seq ?? 0)
      .filter((seq) => seq > after)
      .sort((a, b) => a - b);
  }

  /** The columns that say why a task failed last. Throws if there is none. */
  failing(seq: number): Pick<FullTaskRow, "state" | "closed_at" | "outcome" | "history"> {
    return present(this.#sql.failing.get(seq), seq);
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

  /** It stands in another queue now, or will once it is ready. */
  setMoved(
    seq: number,
    to: {
      readonly queue: QueueState;
      readonly type: string;
      readonly options: TaskOptions;
      readonly serialPlace: number | undefined;
      readonly placed: Placed | undefined;
      readonly returns: number;
      readonly answered: number | null;
      readonly heartbeat: Buffer | null;
    },
  ): void {
    const { queue, type, placed, serialPlace = null, returns, answered, heartbeat } = to;
    const { pass = null, place = null } = placed ?? {};
    const options = writeOptions(to.options, queue.queue.kind);
    this.#sql.moved.run(queue.id, type, options, serialPlace, pass, place, returns, answered, heartbeat, seq);
  }

  setInput(seq: number, input: Encoded): void {
    this.#sql.input.run(writeInput(input), seq);
  }

  /** It is open again, under a new number: as if it had been added now, but for its history. */
  setRedriven(
    seq: number,
    to: {
      readonly seq: number;
      readonly addedAt: number;
      readonly serialPlace: number | undefined;
      readonly placed: Placed | undefined;
    },
  ): void {
    const { pass = null, place = null } = to.placed ?? {};
    this.#sql.redriven.run(to.seq, to.addedAt, to.serialPlace ?? null, pass, place, seq);
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
    this.#toDelete.add(seq);
  }

  /** Writes what was deleted. Before a row is read by anything but its number, and at the end of a transaction. */
  flush(): void {
    const { size } = this.#toDelete;
    if (size === 0) return;
    if (size < fewToDelete) for (const seq of this.#toDelete) this.#sql.delete.run(seq);
    else this.#sql.deleteAll.run(JSON.stringify([...this.#toDelete]));
    this.#toDelete.clear();
  }
}

/** What a task says beyond its columns. */
export function optionsOf(row: Pick<TaskRow, "options" | "start_to_close_ms">, queue: QueueState): TaskOptions {
  return readOptions(row.options, queue.queue.kind, row.start_to_close_ms);
}

function present<Row>(row: Row | undefined, seq: number): Row {
  if (row === undefined) throw new Error(`task ${seq} is gone while a row names it`);
  return row;
}
