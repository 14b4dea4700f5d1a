/*
 * The body of a chunk: [length][JSON][inputs][options and the like], the length as 32 bits. The JSON has a column for each
 * field, an array with a value for each task, or with one if it is the same for all.
 */
import type { Priority } from "@tq/matching-core";
import type { Encoded } from "@tq/storage";

/** What most bodies of one task have room in. */
const firstRoom = 4 * 1_024;

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
export type Extras = Pick<ChunkTask, "headers" | "options" | "closedTask">;

/** By task; `seqs` and `ids` have one for each, the others may have one that is that of all. */
interface Columns {
  readonly seqs: number[];
  readonly ids: readonly string[];
  readonly runs: readonly number[];
  readonly types: readonly string[];
  readonly priorities: readonly Priority[];
  readonly keys: readonly string[];
  readonly weights: readonly number[];
  readonly passes: readonly number[];
  readonly startToCloseMs: readonly (number | null)[];
}

/** A body, and where what it says is found. */
export interface ChunkBody {
  readonly bytes: Buffer;
  readonly head: ChunkHead;
  readonly columns: Columns;
  /** By index, of those that have any. */
  readonly extras: ReadonlyMap<number, Extras>;
  readonly inputsFrom: number;
  /** Of input `i`, which begins where the one before it ends. */
  readonly ends: readonly number[];
}

interface BodyJson extends ChunkHead, Columns {
  readonly count: number;
  /** Of each input. */
  readonly lengths: readonly number[];
  /** By index: headers, and the lengths of options and closed task, if it has them. */
  readonly extras: readonly (readonly [
    index: number,
    headers: string | null,
    options: number | null,
    closedTask: number | null,
  ])[];
}

/**
 * The body of a chunk of these tasks, of which there is one at least. Their inputs are copied.
 *
 * @param seqs their numbers
 */
export function writeBody(head: ChunkHead, seqs: number[], tasks: readonly ChunkTask[]): ChunkBody {
  const extras = extrasOf(tasks);
  const { namespaceId, queueId, addedAt } = head;
  const json: BodyJson = {
    namespaceId,
    queueId,
    addedAt,
    count: tasks.length,
    seqs,
    ids: tasks.map(({ id }) => id),
    runs: columnOf(tasks, ({ run }) => run),
    types: columnOf(tasks, ({ type }) => type),
    priorities: columnOf(tasks, ({ priority }) => priority),
    keys: columnOf(tasks, ({ key }) => key),
    weights: columnOf(tasks, ({ weight }) => weight),
    passes: columnOf(tasks, ({ pass }) => pass),
    startToCloseMs: columnOf(tasks, (task) => task.startToCloseMs),
    lengths: columnOf(tasks, ({ input }) => input.length),
    extras: Array.from(extras, ([i, { headers, options, closedTask }]) => [
      i,
      headers,
      options?.length ?? null,
      closedTask?.length ?? null,
    ]),
  };
  const text = JSON.stringify(json);
  const textBytes = Buffer.byteLength(text);
  const inputsFrom = 4 + textBytes;
  const ends: number[] = [];
  let end = inputsFrom;
  for (const { input } of tasks) ends.push((end += input.length));
  for (const { options, closedTask } of extras.values()) end += (options?.length ?? 0) + (closedTask?.length ?? 0);
  // A buffer of its own: of a larger one all would stay in memory as long as the chunk does.
  const bytes = Buffer.allocUnsafeSlow(end);
  bytes.writeUInt32BE(textBytes, 0);
  bytes.write(text, 4);
  let at = inputsFrom;
  const put = (blob: Encoded | null): void => {
    if (blob === null) return;
    bytes.set(blob, at);
    at += blob.length;
  };
  for (const { input } of tasks) put(input);
  for (const { options, closedTask } of extras.values()) {
    put(options);
    put(closedTask);
  }
  return { bytes, head: json, columns: json, extras, inputsFrom, ends };
}

/**
 * Writes bodies of one task, as {@link writeBody} does, for whoever copies them at once. Where each task goes to a queue of
 * its own they are most of what is written: by hand that takes a third of the time, and nothing is left to be collected.
 */
export class SingleTaskBodies {
  #room = Buffer.allocUnsafeSlow(firstRoom);

  /** The body of a chunk of this task alone. It is what it is until the next one is written. */
  write({ namespaceId, queueId, addedAt }: ChunkHead, task: ChunkTask): Uint8Array {
    const { seq, id, run, type, priority, key, weight, pass, startToCloseMs, input, headers, options, closedTask } =
      task;
    const hasExtras = headers !== null || options !== null || closedTask !== null;
    const extras = hasExtras
      ? `[0,${JSON.stringify(headers)},${options?.length ?? null},${closedTask?.length ?? null}]`
      : "";
    const text =
      `{"namespaceId":${namespaceId},"queueId":${queueId},"addedAt":${addedAt},"count":1,"seqs":[${seq}],` +
      `"ids":[${JSON.stringify(id)}],"runs":[${run}],"types":[${JSON.stringify(type)}],"priorities":[${priority}],` +
      `"keys":[${JSON.stringify(key)}],"weights":[${weight}],"passes":[${pass}],"startToCloseMs":[${startToCloseMs}],` +
      `"lengths":[${input.length}],"extras":[${extras}]}`;
    this.#makeRoom(4 + 3 * text.length + input.length + (options?.length ?? 0) + (closedTask?.length ?? 0));
    const room = this.#room;
    const textBytes = room.write(text, 4);
    room.writeUInt32BE(textBytes, 0);
    let at = 4 + textBytes;
    for (const blob of [input, options, closedTask]) {
      if (blob === null) continue;
      room.set(blob, at);
      at += blob.length;
    }
    return room.subarray(0, at);
  }

  #makeRoom(bytes: number): void {
    if (bytes > this.#room.length) this.#room = Buffer.allocUnsafeSlow(2 * bytes);
  }
}

/** Reads one that was written. What is a part of it is not copied. */
export function readBody(bytes: Buffer): ChunkBody {
  const inputsFrom = 4 + bytes.readUInt32BE(0);
  const json = JSON.parse(bytes.toString("utf8", 4, inputsFrom)) as BodyJson;
  const { count, lengths } = json;
  let at = inputsFrom;
  const ends = Array.from({ length: count }, (_, i) => (at += valueAt(lengths, i)));
  const extras = new Map<number, Extras>();
  for (const [i, headers, options, closedTask] of json.extras) {
    const part = (length: number | null) => (length === null ? null : bytes.subarray(at, (at += length)));
    extras.set(i, { headers, options: part(options), closedTask: part(closedTask) });
  }
  return { bytes, head: json, columns: json, extras, inputsFrom, ends };
}

/** The value of a column for the task with this index. */
export function valueAt<Value>(column: readonly Value[], i: number): Value {
  const value = column.length === 1 ? column[0] : column[i];
  if (value === undefined) throw new Error(`a chunk has no task ${i}`);
  return value;
}

/** A value of each task, or one if they are all the same. */
function columnOf<Value>(tasks: readonly ChunkTask[], of: (task: ChunkTask) => Value): Value[] {
  const values = tasks.map(of);
  const [first] = values;
  return values.length === 1 || values.some((value) => value !== first) ? values : values.slice(0, 1);
}

function extrasOf(tasks: readonly ChunkTask[]): Map<number, Extras> {
  const extras = new Map<number, Extras>();
  tasks.forEach(({ headers, options, closedTask }, i) => {
    if (headers === null && options === null && closedTask === null) return;
    extras.set(i, { headers, options, closedTask });
  });
  return extras;
}
