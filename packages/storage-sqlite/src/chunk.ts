/*
 * A chunk: tasks of one queue that one transaction added, written together as they came.
 *
 * A row for each task costs ten times as much as its part of a chunk: most of it is what SQLite and its driver do for each
 * row and each column. So a task stays in its chunk as long as it is as it was added: ready, where it was placed, or
 * started for the first time. When it completes and is not kept, a bit says that it is gone; if it is kept, a closing says
 * how it ended (see closings.ts); when anything else becomes of it, it gets a row of its own first (see tasks.ts). The chunk goes
 * with the last of its tasks. How it is written: see chunk-body.ts.
 */
import {
  readBody,
  valueAt,
  writeBody,
  type ChunkBody,
  type ChunkHead,
  type ChunkTask,
  type Extras,
  type SingleTaskBodies,
} from "./chunk-body.ts";
import type { Completed } from "./closings.ts";
import type { FullTaskRow } from "./task-row.ts";

const noInput = Buffer.alloc(0);
const noneGone = new Uint8Array(0);

/** A chunk in memory: one that is being filled, or one that was written. */
export class Chunk {
  readonly head: ChunkHead;
  /** Numbers of its tasks, in order. */
  readonly #seqs: number[];
  /** Until it has a body. */
  #tasks: ChunkTask[];
  #inputBytes = 0;
  /** Once it was written; one of a single task, once it is asked for its body. */
  #body: ChunkBody | undefined;
  #isWritten = false;
  #left: number;
  /** Until it is written it may be too short: what is missing is not gone. */
  #gone: Uint8Array;
  /** Since when few of its tasks are left; undefined: many are. */
  sparseSince: number | undefined;
  /** Whether its tasks are found by their ids here, and nowhere else. */
  knowsIds = false;
  /** Whether the journal alone has it. */
  isLate = false;
  /** Whether a task of it was asked for since it is in memory. */
  wasUsed = false;
  /** How many bytes it counts for among those that are held in memory. */
  cachedBytes = 0;
  /** Those of its tasks that completed and are kept, by index; undefined or empty: none. */
  completed: Map<number, Completed> | undefined;

  private constructor(head: ChunkHead, seqs: number[], tasks: ChunkTask[], gone: Uint8Array) {
    this.head = head;
    this.#seqs = seqs;
    this.#tasks = tasks;
    this.#gone = gone;
    this.#left = seqs.length;
  }

  /** One that is filled, with this task first. */
  static begin(head: ChunkHead, task: ChunkTask): Chunk {
    const chunk = new Chunk(head, [task.seq], [task], noneGone);
    chunk.#inputBytes = task.input.length;
    return chunk;
  }

  /** Reads one that was written. */
  static read(bytes: Buffer, gone: Buffer, more: Pick<Chunk, "sparseSince" | "knowsIds">): Chunk {
    const body = readBody(bytes);
    const chunk = new Chunk(body.head, body.columns.seqs, [], Uint8Array.from(gone));
    for (const byte of gone) chunk.#left -= bits(byte);
    chunk.#body = body;
    chunk.#isWritten = true;
    chunk.sparseSince = more.sparseSince;
    chunk.knowsIds = more.knowsIds;
    return chunk;
  }

  /** Number of its first task. */
  get seq(): number {
    return this.seqAt(0);
  }

  /** Number of its last task. */
  get last(): number {
    return this.seqAt(this.#seqs.length - 1);
  }

  /** How many tasks were put into it. */
  get count(): number {
    return this.#seqs.length;
  }

  /** How many of them are still in it. */
  get left(): number {
    return this.#left;
  }

  /** As it was written. */
  get body(): Buffer {
    if (!this.#isWritten) throw new Error("a chunk that is being filled has no body yet");
    return (this.#body ?? this.#makeBody()).bytes;
  }

  /** How many bytes it holds in memory, about. */
  get bytes(): number {
    return (this.#body?.bytes.length ?? this.#inputBytes) + 128 * this.count;
  }

  /** Whether it was written, or was read. */
  get isWritten(): boolean {
    return this.#isWritten;
  }

  /** The bits of the tasks that are gone. Once it is written: one for each of its tasks. */
  get gone(): Uint8Array {
    return this.#gone;
  }

  /** Puts a task in, behind all others. Before it is written only. */
  push(task: ChunkTask): void {
    this.#seqs.push(task.seq);
    this.#tasks.push(task);
    this.#inputBytes += task.input.length;
    this.#left += 1;
  }

  /** The index of a task that is in it; undefined: it is not, or not any more. */
  indexOf(seq: number): number | undefined {
    let low = 0;
    let high = this.count - 1;
    // Mostly they have been given out in one go.
    const guess = seq - this.seq;
    if (guess >= 0 && guess <= high && this.seqAt(guess) === seq) low = high = guess;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.seqAt(middle) < seq) low = middle + 1;
      else high = middle;
    }
    return this.seqAt(low) === seq && this.holds(low) ? low : undefined;
  }

  /** The number of the task with this index. */
  seqAt(i: number): number {
    const seq = this.#seqs[i];
    if (seq === undefined) throw new Error(`a chunk has no task ${i}`);
    return seq;
  }

  /** The id of the task with this index. */
  idAt(i: number): string {
    return this.#body === undefined ? valueAt(this.#tasks, i).id : valueAt(this.#body.columns.ids, i);
  }

  /** Whether its ids are in ascending order, as those are that one client makes; and ASCII, of which all have one order. */
  hasOrderedIds(): boolean {
    const ids = this.#seqs.map((_, i) => this.idAt(i));
    return ids.every((id, i) => i === 0 || valueAt(ids, i - 1) < id) && isAscii(ids);
  }

  /** The number of the task with this id; undefined: it is not in it, or not any more. For chunks with ordered ids. */
  seqOf(id: string): number | undefined {
    let low = 0;
    let high = this.count - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.idAt(middle) < id) low = middle + 1;
      else high = middle;
    }
    return this.idAt(low) === id && this.holds(low) ? this.seqAt(low) : undefined;
  }

  /** Whether the task with this index is still in it. */
  holds(i: number): boolean {
    return (((this.#gone[i >> 3] ?? 0) >> (i & 7)) & 1) === 0;
  }

  /** The task with this index is gone, or has a row of its own. */
  takeOut(i: number): void {
    if (i >> 3 >= this.#gone.length) this.#gone = longer(this.#gone, this.count);
    this.#gone[i >> 3] = (this.#gone[i >> 3] ?? 0) | (1 << (i & 7));
    this.#left -= 1;
    this.completed?.delete(i);
  }

  /** Nothing is left of it, and nobody asks for anything but where it stood. */
  clear(): void {
    this.#tasks = [];
    this.#body = undefined;
    this.completed = undefined;
  }

  /** The row that the task with this index would have, without its input. */
  row(i: number): FullTaskRow {
    const row = this.#openRow(i);
    const completed = this.completed?.get(i);
    if (completed === undefined) return row;
    const { closing, answered, outcome } = completed;
    const { closedAt: closed_at, keptUntil: kept_until } = closing;
    return {
      ...row,
      pass: null,
      place: null,
      attempts: 1,
      answered,
      state: "completed",
      closed_at,
      kept_until,
      outcome,
    };
  }

  /** The same with its input. */
  fullRow(i: number): FullTaskRow {
    const row = this.row(i);
    row.input = this.input(i);
    return row;
  }

  /** Its input: a part of the chunk, not a copy. */
  input(i: number): Buffer {
    if (this.#body !== undefined) {
      const { bytes, ends, inputsFrom } = this.#body;
      return bytes.subarray(ends[i - 1] ?? inputsFrom, ends[i]);
    }
    const { input } = valueAt(this.#tasks, i);
    return Buffer.from(input.buffer, input.byteOffset, input.length);
  }

  /** If it is one of a single task that has no body: what that task's input is a part of. */
  get heldRequest(): ArrayBufferLike | undefined {
    return this.count === 1 ? this.#tasks[0]?.input.buffer : undefined;
  }

  /**
   * What is written of it: its body. It is full from now on.
   *
   * @param singles writes that of a single task, which is not kept then: most such tasks are gone before the file is to have
   * them. What brought the task here is held until it has a body. Undefined: it gets one at once
   */
  write(singles: SingleTaskBodies | undefined): Uint8Array {
    const [first] = this.#tasks;
    const isLeft = singles !== undefined && this.count === 1 && first !== undefined;
    const written = isLeft ? singles.write(this.head, first) : this.#makeBody().bytes;
    this.#isWritten = true;
    this.#gone = longer(this.#gone, this.count);
    return written;
  }

  #makeBody(): ChunkBody {
    if (this.#tasks.length === 0) throw new Error("a chunk of which nothing is left has no body");
    this.#body = writeBody(this.head, this.#seqs, this.#tasks);
    // They hold what brought them here.
    this.#tasks = [];
    return this.#body;
  }

  #openRow(i: number): FullTaskRow {
    const { id, run, type, priority, key, weight, pass, startToCloseMs, extras } = this.#fieldsAt(i);
    const seq = this.seqAt(i);
    return {
      seq,
      namespace: this.head.namespaceId,
      id,
      run,
      queue: this.head.queueId,
      type,
      priority,
      key,
      weight,
      serial_key: null,
      serial_place: null,
      pass,
      place: seq,
      added_at: this.head.addedAt,
      due_at: null,
      start_to_close_ms: startToCloseMs,
      attempts: 0,
      returns: 0,
      answered: null,
      state: null,
      closed_at: null,
      kept_until: null,
      headers: extras?.headers ?? null,
      options: extras?.options ?? null,
      history: null,
      heartbeat: null,
      closed_task: extras?.closedTask ?? null,
      outcome: null,
      input: noInput,
    };
  }

  #fieldsAt(i: number): Pick<ChunkTask, InColumns> & { readonly extras: Extras | undefined } {
    if (this.#body === undefined) {
      const task = valueAt(this.#tasks, i);
      const { id, run, type, priority, key, weight, pass, startToCloseMs } = task;
      return { id, run, type, priority, key, weight, pass, startToCloseMs, extras: task };
    }
    const { extras, columns } = this.#body;
    return {
      id: valueAt(columns.ids, i),
      run: valueAt(columns.runs, i),
      type: valueAt(columns.types, i),
      priority: valueAt(columns.priorities, i),
      key: valueAt(columns.keys, i),
      weight: valueAt(columns.weights, i),
      pass: valueAt(columns.passes, i),
      startToCloseMs: valueAt(columns.startToCloseMs, i),
      extras: extras.size === 0 ? undefined : extras.get(i),
    };
  }
}

type InColumns = "id" | "run" | "type" | "priority" | "key" | "weight" | "pass" | "startToCloseMs";

/** Whether every character of these is ASCII: then JavaScript orders them as SQLite does. */
export function isAscii(texts: readonly string[]): boolean {
  const all = texts.join("");
  return Buffer.byteLength(all) === all.length;
}

/** A copy with room for a bit for each of so many tasks, no fewer than there are. */
function longer(bits: Uint8Array, tasks: number): Uint8Array {
  const all = new Uint8Array(Math.ceil(tasks / 8));
  all.set(bits);
  return all;
}

/** How many bits of a byte are set. */
function bits(byte: number): number {
  let n = 0;
  for (let rest = byte; rest > 0; rest >>= 1) n += rest & 1;
  return n;
}
