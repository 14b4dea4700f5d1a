import type Database from "better-sqlite3";
import type { ClosedState } from "@tq/matching-core";
import type { ClosedTaskRecord, Encoded, NewTask, OutcomeRecord } from "@tq/storage";
import { readOptions, writeClosedTask, writeOptions, writeOutcome, type TaskOptions } from "./columns.ts";
import type { Chunk } from "./chunk.ts";
import type { ChunkTask } from "./chunk-body.ts";
import { Chunks, sparseForMs } from "./chunks.ts";
import type { QueueState } from "./queues.ts";
import type { Kept } from "./kept.ts";
import { readInput, writeInput } from "./input-column.ts";
import { steady } from "./steady.ts";
import { TaskIds } from "./task-ids.ts";
import { type FullTaskRow, fullColumns, rowColumns, sketchColumns, type TaskRow, type TaskSketch } from "./task-row.ts";
import type { Writes } from "./journal/writes.ts";

/** A row with everything, as it comes out of the file. */
type StoredTaskRow = Omit<FullTaskRow, "input"> & { readonly input: Buffer | string };

/** With its input as bytes. The row is a new one already: it is changed, not copied. */
function withInput(row: StoredTaskRow): FullTaskRow {
  return Object.assign(row, { input: readInput(row.input) });
}

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

/** A new task, and where it was put. */
interface NewRow {
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
}

/**
 * The tasks: those with rows of their own, and those that are still in the chunk that they were added in. Nobody else sees
 * the difference. What becomes of a task in a chunk, but for its completion, gives it a row first.
 */
export class TaskRows {
  readonly #ids: TaskIds;
  readonly #chunks: Chunks;
  readonly #kept: Kept;
  /** Deleted together, with one statement, before anything could see that they are still there. */
  #toDelete = new Set<number>();
  readonly #sql;

  constructor(db: Database.Database, writes: Writes, kept: Kept) {
    this.#kept = kept;
    this.#chunks = new Chunks(db, writes);
    this.#ids = new TaskIds(db, writes, this.#chunks);
    this.#sql = {
      holder: db.prepare<[number], IdHolder>("select seq, run, state from task where seq = ?"),
      insert: writes.prepare(`insert into task(${fullColumns}) values(${fullColumns.replaceAll(/\w+/g, "?")})`),
      full: db.prepare<[number], StoredTaskRow>(`select ${fullColumns} from task where seq = ?`),
      row: db.prepare<[number], TaskRow>(`select ${rowColumns} from task where seq = ?`),
      scan: db.prepare<[number, number], StoredTaskRow>(
        steady(`select ${fullColumns} from task where seq > ? order by seq limit ?`),
      ),
      sketches: db.prepare<[number, number, number], TaskSketch>(
        steady(`select ${sketchColumns.join(", ")} from task where seq > ? and seq <= ? order by seq limit ?`),
      ),
      failing: db.prepare<[number], Pick<FullTaskRow, "state" | "closed_at" | "outcome" | "history">>(
        "select state, closed_at, outcome, history from task where seq = ?",
      ),
      placed: writes.prepare("update task set pass = ?, place = ?, due_at = null where seq = ?"),
      inLine: writes.prepare("update task set serial_place = ?, due_at = null where seq = ?"),
      retried: writes.prepare(
        `update task set attempts = ?, returns = 0, answered = ?, history = ?, heartbeat = ?, due_at = ?, pass = null, place = null
         where seq = ?`,
      ),
      returned: writes.prepare(
        "update task set returns = ?, answered = ?, heartbeat = ?, pass = ?, place = ? where seq = ?",
      ),
      moved: writes.prepare(
        `update task set queue = ?, type = ?, options = ?, serial_place = ?, pass = ?, place = ?, returns = ?,
           answered = ?, heartbeat = ?
         where seq = ?`,
      ),
      input: writes.prepare("update task set input = ? where seq = ?"),
      redriven: writes.prepare(
        `update task set seq = ?, run = run + 1, added_at = ?, serial_place = ?, pass = ?, place = ?, attempts = 0, returns = 0,
           answered = null, state = null, closed_at = null, kept_until = null, outcome = null, heartbeat = null
         where seq = ?`,
      ),
      closed: writes.prepare(
        `update task set state = ?, closed_at = ?, kept_until = ?, attempts = ?, answered = ?, history = ?, outcome = ?,
           due_at = null, pass = null, place = null, serial_place = null where seq = ?`,
      ),
      delete: writes.prepare("delete from task where seq = ?"),
      deleteAll: writes.prepare("delete from task where seq in (select value from json_each(?))"),
    };
  }

  /** Forgets what is in memory: the transaction failed. */
  reset(): void {
    if (this.#toDelete.size > 0) this.#toDelete = new Set();
    this.#ids.reset();
    this.#chunks.reset();
  }

  /** Lets go of what is in memory if it is too much. Between commits only. */
  evict(): void {
    this.#chunks.evict();
  }

  /** Who has this id, open or kept. */
  holder(namespaceId: number, id: string): IdHolder | undefined {
    const seq = this.#ids.get(namespaceId, id);
    return seq === undefined ? undefined : this.#holder(seq);
  }

  /** The same for many ids at once. */
  holders(namespaceId: number, ids: readonly string[]): ReadonlyMap<string, IdHolder> {
    return new Map(this.#ids.find(namespaceId, ids).map(([id, seq]) => [id, this.#holder(seq)]));
  }

  insert(task: NewTask, row: NewRow): void {
    const { seq, run, placed, options, closedTask } = row;
    const { id, type, priority, input } = task;
    this.#ids.add(row.namespaceId, id, seq);
    const given: ChunkTask = {
      seq,
      id,
      run,
      type,
      priority,
      key: task.fairnessKey,
      weight: task.fairnessWeight,
      pass: placed?.pass ?? 0,
      input,
      startToCloseMs: options.timeouts.startToCloseMs ?? null,
      headers: task.headers === undefined ? null : JSON.stringify(task.headers),
      options: writeOptions(options, task.queue.kind),
      closedTask: closedTask === undefined ? null : writeClosedTask(closedTask),
    };
    if (placed?.place === seq && row.serialPlace === undefined && this.#chunks.takes(given)) {
      this.#chunks.add(row, given);
      return;
    }
    this.#insertRow({
      seq,
      namespace: row.namespaceId,
      id,
      run,
      queue: row.queueId,
      type,
      priority,
      key: task.fairnessKey,
      weight: task.fairnessWeight,
      serial_key: task.serialKey ?? null,
      serial_place: row.serialPlace ?? null,
      pass: placed?.pass ?? null,
      place: placed?.place ?? null,
      added_at: row.addedAt,
      due_at: row.dueAt ?? null,
      start_to_close_ms: given.startToCloseMs,
      attempts: 0,
      returns: 0,
      answered: null,
      state: null,
      closed_at: null,
      kept_until: null,
      headers: given.headers,
      options: given.options,
      history: null,
      heartbeat: null,
      closed_task: given.closedTask,
      outcome: null,
      input,
    });
  }

  /** The whole row. Throws if there is none: only for rows that another table names. */
  full(seq: number): FullTaskRow {
    const found = this.#chunks.find(seq);
    if (found !== undefined) return found.chunk.fullRow(found.index);
    return withInput(present(this.#sql.full.get(seq), seq));
  }

  /** The row without its input and outcome. Throws if there is none. */
  row(seq: number): TaskRow {
    return present(this.find(seq), seq);
  }

  find(seq: number): TaskRow | undefined {
    const found = this.#chunks.find(seq);
    if (found !== undefined) return found.chunk.row(found.index);
    return this.#toDelete.has(seq) ? undefined : this.#sql.row.get(seq);
  }

  byId(namespaceId: number, id: string): FullTaskRow | undefined {
    const seq = this.#ids.get(namespaceId, id);
    return seq === undefined ? undefined : this.full(seq);
  }

  /** Up to `limit` rows behind a number, of whatever namespace, in order of adding. Between transactions only. */
  *scan(after: number, limit: number): Iterable<FullTaskRow> {
    // Before anything is read: nothing can be written while it is.
    this.settle();
    const rows = this.#sql.scan.iterate(after, limit)[Symbol.iterator]();
    const chunked = this.#chunked(after)[Symbol.iterator]();
    try {
      let row = rows.next();
      let inChunk = chunked.next();
      for (let left = limit; left > 0; left--) {
        if (inChunk.done !== true && (row.done === true || inChunk.value.seq < row.value.seq)) {
          const { chunk, index } = inChunk.value;
          yield chunk.fullRow(index);
          inChunk = chunked.next();
        } else if (row.done !== true) {
          yield withInput(row.value);
          row = rows.next();
        } else return;
      }
    } finally {
      rows.return?.();
    }
  }

  /** The same without their larger columns, and no further than `upTo`. */
  sketches(now: number, after: number, upTo: number, limit: number): TaskSketch[] {
    this.flush(now);
    const sketches: TaskSketch[] = [];
    const rows = this.#sql.sketches.all(after, upTo, limit);
    let next = 0;
    const takeRows = (before: number) => {
      for (let row = rows[next]; row !== undefined && row.seq < before && sketches.length < limit; row = rows[++next]) {
        sketches.push(row);
      }
    };
    for (const { seq, chunk, index } of this.#chunked(after)) {
      if (seq > upTo || sketches.length === limit) break;
      takeRows(seq);
      if (sketches.length < limit) sketches.push(chunk.row(index));
    }
    takeRows(Infinity);
    return sketches;
  }

  /** The numbers of tasks by their ids, behind a number, in order of adding. */
  numbersOf(namespaceId: number, ids: readonly string[], after: number): number[] {
    return [...new Set(ids)]
      .map((id) => this.#ids.get(namespaceId, id) ?? 0)
      .filter((seq) => seq > after)
      .sort((a, b) => a - b);
  }

  /** When the first chunk of which little is left is to be given up; undefined: there is none. */
  nextSparse(): number | undefined {
    const since = this.#chunks.nextSparse();
    return since === undefined ? undefined : since + sparseForMs;
  }

  /**
   * Gives chunks up of which little has been left for a while: what is left gets rows. Ends with the chunk that makes it
   * `limit` rows. Answers how many it made.
   */
  giveUpSparse(now: number, limit: number): number {
    let made = 0;
    for (const chunk of this.#chunks.sparse(now - sparseForMs, limit)) {
      if (made >= limit) break;
      made += chunk.left;
      this.#giveRows(chunk);
    }
    return made;
  }

  /** The columns that say why a task failed last. Throws if there is none. */
  failing(seq: number): Pick<FullTaskRow, "state" | "closed_at" | "outcome" | "history"> {
    const found = this.#chunks.find(seq);
    if (found !== undefined) return found.chunk.row(found.index);
    return present(this.#sql.failing.get(seq), seq);
  }

  /** It is placed now, and no longer scheduled. */
  setPlaced(seq: number, at: Placed): void {
    this.#giveRow(seq);
    this.#sql.placed.run(at.pass, at.place, seq);
  }

  /** It stands in line for its serial key now, and is no longer scheduled. */
  setInLine(seq: number, serialPlace: number): void {
    this.#giveRow(seq);
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
    this.#giveRow(seq);
    this.#sql.retried.run(to.attempts, to.answered, to.history, to.heartbeat, to.dueAt, seq);
  }

  /** A delivery came back unused, to where it was. */
  setReturned(
    seq: number,
    at: Placed,
    to: { readonly returns: number; readonly answered: number | null; readonly heartbeat: Buffer | null },
  ): void {
    this.#giveRow(seq);
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
    this.#giveRow(seq);
    this.#sql.moved.run(queue.id, type, options, serialPlace, pass, place, returns, answered, heartbeat, seq);
  }

  setInput(seq: number, input: Encoded): void {
    this.#giveRow(seq);
    this.#sql.input.run(writeInput(input), seq);
  }

  /** A closed task is open again, under a new number: as if it had been added now, but for its history. */
  setRedriven(
    row: Pick<TaskRow, "seq" | "namespace" | "id" | "kept_until">,
    to: {
      readonly seq: number;
      readonly addedAt: number;
      readonly serialPlace: number | undefined;
      readonly placed: Placed | undefined;
    },
  ): void {
    const { pass = null, place = null } = to.placed ?? {};
    if (row.kept_until !== null) this.#kept.dropTask(row.seq, row.kept_until);
    this.#sql.redriven.run(to.seq, to.addedAt, to.serialPlace ?? null, pass, place, row.seq);
    this.#ids.remove(row.namespace, row.id);
    this.#ids.add(row.namespace, row.id, to.seq);
  }

  /** It is closed, and kept. `id` makes a number for whatever needs one. */
  setClosed(
    seq: number,
    outcome: OutcomeRecord,
    to: {
      readonly keptUntil: number;
      readonly attempts: number;
      readonly answered: number | null;
      readonly history: Buffer | null;
    },
    id: () => number,
  ): void {
    const { state, closedAt } = outcome;
    const { keptUntil, attempts, answered, history } = to;
    const written = writeOutcome(outcome);
    const found = state === "completed" && answered !== null ? this.#chunks.find(seq) : undefined;
    if (found !== undefined && answered !== null && this.#chunks.keeps(found, written)) {
      this.#chunks.complete(found, { closedAt, keptUntil }, { answered, outcome: written }, id);
      return;
    }
    this.#giveRow(seq);
    this.#sql.closed.run(state, closedAt, keptUntil, attempts, answered, history, written, seq);
    this.#kept.keepTask(seq, keptUntil);
  }

  /** The numbers of up to `limit` tasks in chunks that completed, and need not be kept any longer. */
  dueCompleted(now: number, limit: number): number[] {
    return this.#chunks.dueCompleted(now, limit);
  }

  /** Until when the first of them are kept; undefined: there is none. */
  nextCompleted(): number | undefined {
    return this.#chunks.nextCompleted();
  }

  /** It is gone. */
  delete({ seq, namespace, id, kept_until }: Pick<TaskRow, "seq" | "namespace" | "id" | "kept_until">): void {
    const found = this.#chunks.find(seq);
    if (found === undefined) {
      this.#toDelete.add(seq);
      if (kept_until !== null) this.#kept.dropTask(seq, kept_until);
    } else this.#chunks.takeOut(found);
    if (found?.chunk.knowsIds !== true) this.#ids.remove(namespace, id);
  }

  /** Writes what the transaction changed. Before rows are gone through, and at its end. */
  flush(now: number): void {
    for (const chunk of this.#chunks.takeReadAgain()) this.#giveRows(chunk);
    const { size } = this.#toDelete;
    if (size > 0 && size < fewToDelete) for (const seq of this.#toDelete) this.#sql.delete.run(seq);
    else if (size > 0) this.#sql.deleteAll.run(JSON.stringify([...this.#toDelete]));
    if (this.#toDelete.size > 0) this.#toDelete = new Set();
    this.#chunks.flush(now, (namespaceId, id) => this.#ids.leaveToChunk(namespaceId, id));
    this.#ids.flush();
  }

  /** Writes what the journal alone has. */
  settle(): void {
    this.#chunks.settle();
    this.#ids.settle();
  }

  #holder(seq: number): IdHolder {
    const found = this.#chunks.find(seq);
    if (found !== undefined) return found.chunk.row(found.index);
    return present(this.#sql.holder.get(seq), seq);
  }

  /** The tasks in chunks behind a number, in order. */
  *#chunked(after: number): Iterable<{ readonly seq: number; readonly chunk: Chunk; readonly index: number }> {
    for (const chunk of this.#chunks.behind(after)) {
      for (let index = 0; index < chunk.count; index++) {
        const seq = chunk.seqAt(index);
        if (seq > after && chunk.holds(index)) yield { seq, chunk, index };
      }
    }
  }

  /** From now on each task of a chunk has a row of its own. */
  #giveRows(chunk: Chunk): void {
    for (let i = 0; i < chunk.count; i++) if (chunk.holds(i)) this.#giveRow(chunk.seqAt(i));
  }

  /** From now on the task has a row of its own. */
  #giveRow(seq: number): void {
    const found = this.#chunks.find(seq);
    if (found === undefined) return;
    const row = found.chunk.fullRow(found.index);
    this.#insertRow(row);
    if (row.kept_until !== null) this.#kept.keepTask(seq, row.kept_until);
    this.#chunks.takeOut(found);
    if (found.chunk.knowsIds) this.#ids.add(row.namespace, row.id, seq);
  }

  #insertRow(row: Omit<FullTaskRow, "input"> & { readonly input: Encoded }): void {
    this.#sql.insert.run(
      row.seq,
      row.namespace,
      row.id,
      row.run,
      row.queue,
      row.type,
      row.priority,
      row.key,
      row.weight,
      row.serial_key,
      row.serial_place,
      row.pass,
      row.place,
      row.added_at,
      row.due_at,
      row.start_to_close_ms,
      row.attempts,
      row.returns,
      row.answered,
      row.state,
      row.closed_at,
      row.kept_until,
      row.headers,
      row.options,
      row.history,
      row.heartbeat,
      row.closed_task,
      row.outcome,
      writeInput(row.input),
    );
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
