// Rows of memory that one thread writes and another one reads, neither of which ever waits for the other. A row has a stamp,
// written last and by itself: zero while it has nothing in it, and another one each time something is put into it. So the
// reader tells from one number per row what is new and what is gone, and leaves a row that changes under it for its next look.

/** What a row says. */
export type RowKind = (typeof rowKinds)[number];
const rowKinds = ["lease", "open poll", "received poll"] as const;

/** What is read of a row. */
export interface Row {
  readonly kind: RowKind;
  /** Of a lease its token's key, of a poll its id. */
  readonly key: string;
  /** Of a lease: type of its task. */
  readonly type: string;
  /** When it began, in milliseconds since the epoch. */
  readonly atMs: number;
}

/** Rows of a page. A worker of a hundred slots gets by with two pages, and one of ten thousand with a few messages more. */
const pageRows = 64;
/** Room for the texts of a row. More than a token takes and a type that has an ordinary name. */
const textBytes = 224;
const headBytes = 32;

/** Where the numbers of a row stand, in units of four bytes. The time, of eight bytes, comes behind them. */
const stampAt = 0;
const kindAt = 1;
const answeringAt = 2;
const keyBytesAt = 3;
const typeBytesAt = 4;
const timeAt = 24;

/** A number of rows, in memory that threads share. */
export class SharedPage {
  readonly memory: SharedArrayBuffer;
  readonly rows = pageRows;
  /** What the texts of a row may take. */
  readonly textBytes: number;
  readonly #rowBytes: number;
  readonly #numbers: Int32Array;
  readonly #times: Float64Array;
  readonly #texts: Buffer;

  /** The page that is in `memory`. */
  constructor(memory: SharedArrayBuffer) {
    this.memory = memory;
    this.#rowBytes = memory.byteLength / pageRows;
    this.textBytes = this.#rowBytes - headBytes;
    this.#numbers = new Int32Array(memory);
    this.#times = new Float64Array(memory);
    this.#texts = Buffer.from(memory);
  }

  /** An empty page, whose rows have room for texts of so many bytes at least. */
  static withRoomFor(bytes: number): SharedPage {
    const text = Math.max(textBytes, Math.ceil(bytes / 8) * 8);
    return new SharedPage(new SharedArrayBuffer(pageRows * (headBytes + text)));
  }

  /** The bytes that the texts of a row take. */
  static bytesOf({ kind, key, type }: Row): number {
    return Buffer.byteLength(key, encodingOf(kind)) + Buffer.byteLength(type);
  }

  /** Puts something into a row that has nothing in it. */
  put(row: number, stamp: number, { kind, key, type, atMs }: Row): void {
    const numbers = this.#numbers;
    const at = this.#numberAt(row);
    const text = row * this.#rowBytes + headBytes;
    const keyBytes = this.#texts.write(key, text, encodingOf(kind));
    numbers[at + kindAt] = rowKinds.indexOf(kind);
    numbers[at + keyBytesAt] = keyBytes;
    numbers[at + typeBytesAt] = type === "" ? 0 : this.#texts.write(type, text + keyBytes, "utf8");
    this.#times[(row * this.#rowBytes + timeAt) / 8] = atMs;
    Atomics.store(numbers, at + answeringAt, 0);
    Atomics.store(numbers, at + stampAt, stamp);
  }

  /** Says of a lease that its answer is on its way. */
  markAnswering(row: number): void {
    Atomics.store(this.#numbers, this.#numberAt(row) + answeringAt, 1);
  }

  /** Takes out what is in a row. */
  clear(row: number): void {
    Atomics.store(this.#numbers, this.#numberAt(row) + stampAt, 0);
  }

  /** Zero of a row that has nothing in it. */
  stampOf(row: number): number {
    return Atomics.load(this.#numbers, this.#numberAt(row) + stampAt);
  }

  isAnswering(row: number): boolean {
    return Atomics.load(this.#numbers, this.#numberAt(row) + answeringAt) === 1;
  }

  /** What is in a row of this stamp; undefined if that has changed meanwhile. */
  read(row: number, stamp: number): Row | undefined {
    const numbers = this.#numbers;
    const at = this.#numberAt(row);
    const text = row * this.#rowBytes + headBytes;
    const kind = rowKinds[numbers[at + kindAt] ?? 0] ?? "lease";
    const typeFrom = text + (numbers[at + keyBytesAt] ?? 0);
    const key = this.#texts.toString(encodingOf(kind), text, typeFrom);
    const type = this.#texts.toString("utf8", typeFrom, typeFrom + (numbers[at + typeBytesAt] ?? 0));
    const atMs = this.#times[(row * this.#rowBytes + timeAt) / 8] ?? 0;
    // Not a mere load, before which what stands above might still be to come.
    const isSame = Atomics.compareExchange(numbers, at + stampAt, stamp, stamp) === stamp;
    return isSame ? { kind, key, type, atMs } : undefined;
  }

  #numberAt(row: number): number {
    return (row * this.#rowBytes) / 4;
  }
}

/** A key is a token's bytes, each as one character; an id is a text like any. */
function encodingOf(kind: RowKind): "latin1" | "utf8" {
  return kind === "lease" ? "latin1" : "utf8";
}
