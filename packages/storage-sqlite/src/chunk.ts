/*
 * A chunk: tasks of one queue that one transaction added, written together as they came.
 *
 * A row for each task costs ten times as much as its part of a chunk: most of it is what SQLite and its driver do for each
 * row and each column. So a task stays in its chunk as long as it is as it was added: ready, where it was placed, or
 * started for the first time. When it completes and is not kept, a bit says that it is gone; if it is kept, a closing says
 * how it ended (see closings.ts); when anything else becomes of it, it gets a row of its own first (see tasks.ts). The chunk goes
 * with the last of its tasks.
 *
 * The body is [length][JSON][inputs][options and the like], the length as 32 bits. The JSON has a column for each field, an
 * array with a value for each task, or with one if it is the same for all.
 */
import type { Priority } from "@tq/matching-core";
import type { Encoded } from "@tq/storage";
import type { Completed } from "./closings.ts";
import type { FullTaskRow } from "./task-row.ts";

/** A task as it is added, and the pass that it was placed at. Its place is its number. */
export interface ChunkTask {
  readonly seq: number;
  readonly id: string;
  readonly run: number;
  readonly type: string;
  readonly priority: Priority;
  readonly key: string;
  readonly weight: number;
  readonly pass: number;
  readonly startToCloseMs: number | null;
  readonly input: Encoded;
  readonly headers: string | null;
  readonly options: Buffer | null;
  readonly closedTask: Buffer | null;
}

/** What all tasks of a chunk have in common. */
export interface ChunkHead {
  readonly namespaceId: number;
  readonly queueId: number;
  readonly addedAt: number;
}

/** What few tasks have. */
type Extras = Pick<ChunkTask, "headers" | "options" | "closedTask">;

interface Columns {
  readonly seqs: number[];
  readonly ids: string[];
  readonly runs: number[];
  readonly types: string[];
  readonly priorities: Priority[];
  readonly keys: string[];
  readonly weights: number[];
  readonly passes: number[];
  readonly startToCloseMs: (number | null)[];
}

interface BodyJson extends ChunkHead, Columns {
  readonly count: number;
  /** Of each input. */
  readonly lengths: number[];
  /** By index: headers, and the lengths of options and closed task, if it has them. */
  readonly extras: [index: number, headers: string | null, options: number | null, closedTask: number | null][];
}

const noInput = Buffer.alloc(0);

/** A chunk in memory: one that is being filled, or one that was written. */
export class Chunk {
  readonly head: ChunkHead;
  readonly #columns: Columns;
  readonly #extras: Map<number, Extras>;
  /** Until it is written. */
  #inputs: Encoded[];
  /** Once it is written: of input `i` from `#ends[i - 1]` on. */
  #body: Buffer | undefined;
  #ends: number[] = [];
  #count: number;
  #left: number;
  #gone: Uint8Array;
  #inputsFrom = 0;
  #inputBytes = 0;
  /** Since when few of its tasks are left; undefined: many are. */
  sparseSince: number | undefined;
  /** Whether its tasks are found by their ids here, and nowhere else. */
  knowsIds = false;
  /** Whether a task of it was asked for since it is in memory. */
  wasUsed = false;
  /** How many bytes it counts for among those that are held in memory. */
  cachedBytes = 0;
  /** Those of its tasks that completed and are kept, by index. */
  completed = new Map<number, Completed>();

  private constructor(head: ChunkHead, columns: Columns, extras: Map<number, Extras>, count: number, gone: Uint8Array) {
    this.head = head;
    this.#columns = columns;
    this.#extras = extras;
    this.#inputs = [];
    this.#count = count;
    this.#gone = gone;
    this.#left = count - gone.reduce((sum, byte) => sum + bits(byte), 0);
  }

  /** An empty one, to be filled with up to so many tasks. */
  static empty(head: ChunkHead, most: number): Chunk {
    const columns = {
      seqs: [],
      ids: [],
      runs: [],
      types: [],
      priorities: [],
      keys: [],
      weights: [],
      passes: [],
      startToCloseMs: [],
    };
    return new Chunk(head, columns, new Map(), 0, new Uint8Array(Math.ceil(most / 8)));
  }

  /** Reads one that was written. */
  static read(body: Buffer, gone: Buffer, more: Pick<Chunk, "sparseSince" | "knowsIds">): Chunk {
    const jsonEnd = 4 + body.readUInt32BE(0);
    const json = JSON.parse(body.toString("utf8", 4, jsonEnd)) as BodyJson;
    const { count, lengths } = json;
    let at = jsonEnd;
    const ends = Array.from({ length: count }, (_, i) => (at += valueAt(lengths, i)));
    const extras = new Map<number, Extras>();
    for (const [i, headers, options, closedTask] of json.extras) {
      const part = (length: number | null) => (length === null ? null : body.subarray(at, (at += length)));
      extras.set(i, { headers, options: part(options), closedTask: part(closedTask) });
    }
    const chunk = new Chunk(json, json, extras, count, Uint8Array.from(gone));
    chunk.#written(body, ends, jsonEnd);
    chunk.sparseSince = more.sparseSince;
    chunk.knowsIds = more.knowsIds;
    return chunk;
  }

  /** Number of its first task. */
  get seq(): number {
    return valueAt(this.#columns.seqs, 0);
  }

  /** Number of its last task. */
  get last(): number {
    return this.seqAt(this.#count - 1);
  }

  /** How many tasks were put into it. */
  get count(): number {
    return this.#count;
  }

  /** How many of them are still in it. */
  get left(): number {
    return this.#left;
  }

  /** As it was written. */
  get body(): Buffer {
    if (this.#body === undefined) throw new Error("a chunk that is being filled has no body yet");
    return this.#body;
  }

  /** How many bytes it holds in memory, about. */
  get bytes(): number {
    return (this.#body?.length ?? this.#inputBytes) + 128 * this.#count;
  }

  /** Whether it was written, or was read. */
  get isWritten(): boolean {
    return this.#body !== undefined;
  }

  /** The bits of the tasks that are gone, as they are written. */
  get gone(): Uint8Array {
    return this.#gone.subarray(0, Math.ceil(this.#count / 8));
  }

  /** Puts a task in, behind all others. Before it is written only. */
  push(task: ChunkTask): void {
    const { seqs, ids, runs, types, priorities, keys, weights, passes, startToCloseMs } = this.#columns;
    const { headers, options, closedTask } = task;
    seqs.push(task.seq);
    ids.push(task.id);
    runs.push(task.run);
    types.push(task.type);
    priorities.push(task.priority);
    keys.push(task.key);
    weights.push(task.weight);
    passes.push(task.pass);
    startToCloseMs.push(task.startToCloseMs);
    this.#inputs.push(task.input);
    this.#inputBytes += task.input.length;
    if (headers !== null || options !== null || closedTask !== null) {
      this.#extras.set(this.#count, { headers, options, closedTask });
    }
    this.#count += 1;
    this.#left += 1;
  }

  /** The index of a task that is in it; undefined: it is not, or not any more. */
  indexOf(seq: number): number | undefined {
    const { seqs } = this.#columns;
    let low = 0;
    let high = this.#count - 1;
    // Mostly they have been given out in one go.
    const guess = seq - this.seq;
    if (guess >= 0 && guess <= high && this.seqAt(guess) === seq) low = high = guess;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (valueAt(seqs, middle) < seq) low = middle + 1;
      else high = middle;
    }
    return this.seqAt(low) === seq && this.holds(low) ? low : undefined;
  }

  /** The number of the task with this index. */
  seqAt(i: number): number {
    // Never squeezed: no two are the same.
    return valueAt(this.#columns.seqs, i);
  }

  /** The id of the task with this index. */
  idAt(i: number): string {
    return valueAt(this.#columns.ids, i);
  }

  /** Whether its ids are in ascending order, as those are that one client makes; and ASCII, of which all have one order. */
  hasOrderedIds(): boolean {
    const { ids } = this.#columns;
    for (let i = 1; i < ids.length; i++) if (valueAt(ids, i - 1) >= valueAt(ids, i)) return false;
    return isAscii(ids);
  }

  /** The number of the task with this id; undefined: it is not in it, or not any more. For chunks with ordered ids. */
  seqOf(id: string): number | undefined {
    let low = 0;
    let high = this.#count - 1;
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
    this.#gone[i >> 3] = (this.#gone[i >> 3] ?? 0) | (1 << (i & 7));
    this.#left -= 1;
  }

  /** The row that the task with this index would have, without its input. */
  row(i: number): FullTaskRow {
    const row = this.#openRow(i);
    const completed = this.completed.size === 0 ? undefined : this.completed.get(i);
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
    if (this.#body !== undefined) return this.#body.subarray(this.#ends[i - 1] ?? this.#inputsFrom, this.#ends[i]);
    const input = valueAt(this.#inputs, i);
    return Buffer.from(input.buffer, input.byteOffset, input.length);
  }

  /** The body, as it is written. It is full from now on. */
  write(): Buffer {
    const columns = this.#columns;
    const lengths = this.#inputs.map((input) => input.length);
    const json: BodyJson = {
      ...this.head,
      count: this.#count,
      seqs: columns.seqs,
      ids: columns.ids,
      runs: squeeze(columns.runs),
      types: squeeze(columns.types),
      priorities: squeeze(columns.priorities),
      keys: squeeze(columns.keys),
      weights: squeeze(columns.weights),
      passes: squeeze(columns.passes),
      startToCloseMs: squeeze(columns.startToCloseMs),
      lengths: squeeze(lengths),
      extras: [...this.#extras].map(([i, { headers, options, closedTask }]) => [
        i,
        headers,
        options?.length ?? null,
        closedTask?.length ?? null,
      ]),
    };
    const text = Buffer.from(JSON.stringify(json));
    const blobs: Encoded[] = [...this.#inputs];
    for (const { options, closedTask } of this.#extras.values()) {
      if (options !== null) blobs.push(options);
      if (closedTask !== null) blobs.push(closedTask);
    }
    const body = Buffer.allocUnsafeSlow(4 + text.length + blobs.reduce((sum, blob) => sum + blob.length, 0));
    body.writeUInt32BE(text.length, 0);
    const inputsFrom = 4 + text.length;
    text.copy(body, 4);
    let at = inputsFrom;
    for (const blob of blobs) {
      body.set(blob, at);
      at += blob.length;
    }
    at = inputsFrom;
    this.#written(
      body,
      lengths.map((length) => (at += length)),
      inputsFrom,
    );
    return body;
  }

  #openRow(i: number): FullTaskRow {
    const { ids, runs, types, priorities, keys, weights, passes, startToCloseMs } = this.#columns;
    const seq = this.seqAt(i);
    const extras = this.#extras.size === 0 ? undefined : this.#extras.get(i);
    return {
      seq,
      namespace: this.head.namespaceId,
      id: valueAt(ids, i),
      run: valueAt(runs, i),
      queue: this.head.queueId,
      type: valueAt(types, i),
      priority: valueAt(priorities, i),
      key: valueAt(keys, i),
      weight: valueAt(weights, i),
      serial_key: null,
      serial_place: null,
      pass: valueAt(passes, i),
      place: seq,
      added_at: this.head.addedAt,
      due_at: null,
      start_to_close_ms: valueAt(startToCloseMs, i),
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

  #written(body: Buffer, ends: number[], inputsFrom: number): void {
    this.#inputs = [];
    this.#body = body;
    this.#ends = ends;
    this.#inputsFrom = inputsFrom;
  }
}

/** A column with one value if they are all the same. */
function squeeze<Value>(column: Value[]): Value[] {
  const [first] = column;
  return column.every((value) => value === first) ? column.slice(0, 1) : column;
}

/** Whether every character of these is ASCII: then JavaScript orders them as SQLite does. */
export function isAscii(texts: readonly string[]): boolean {
  const all = texts.join("");
  return Buffer.byteLength(all) === all.length;
}

function valueAt<Value>(column: readonly Value[], i: number): Value {
  const value = column.length === 1 ? column[0] : column[i];
  if (value === undefined) throw new Error(`a chunk has no task ${i}`);
  return value;
}

/** How many bits of a byte are set. */
function bits(byte: number): number {
  let n = 0;
  for (let rest = byte; rest > 0; rest >>= 1) n += rest & 1;
  return n;
}
