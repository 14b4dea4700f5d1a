import type Database from "better-sqlite3";
import { Chunk } from "./chunk.ts";
import { SingleTaskBodies, type ChunkHead, type ChunkTask } from "./chunk-body.ts";
import { Closings } from "./closings.ts";
import { HeldRequests } from "./held-requests.ts";
import { steady } from "./steady.ts";
import type { Value } from "./journal/encoding.ts";
import type { Writes } from "./journal/writes.ts";
import { Soonest } from "./soonest.ts";

/** A chunk is full with so many tasks, or so many bytes of what they say: a claim that wants one task of it reads it whole. */
const fullAt = { tasks: 512, bytes: 128 * 1_024 };
/** A larger task gains nothing in a chunk: its payloads are most of what its row costs. */
const maxTaskBytes = 16 * 1_024;
/** So few ids are not worth a range of them. */
const fewestOrderedIds = 16;
/** An outcome that is larger is kept in a row: whoever reads a chunk reads the outcomes of its tasks. */
const maxOutcomeBytes = 2_048;
/** With fewer that are not late any more it is no gain to go through those that are. */
const fewestGone = 32;
/** How many bytes of chunks are held in memory from one transaction to the next. */
const maxCachedBytes = 8 * 1_024 * 1_024;
/** How many of those that were let go of are known. */
const mostLetGo = 100_000;
/** How many tasks of chunks that were read again get rows in one go, about: a few ms. */
const fewRows = 4_096;
/** What a completed task costs there, beside its outcome, about. */
const completedBytes = 128;
/** Few of a chunk's tasks are left: one in so many, or fewer. */
const sparseShare = 4;
/** How long a chunk of which little is left is let be: mostly its last tasks are the next to go. */
export const sparseForMs = 10_000;

/** Where a task is. */
export interface InChunk {
  readonly chunk: Chunk;
  readonly index: number;
}

/** The chunks: those in the file, of which some are held in memory, and those that the present transaction fills. */
export class Chunks {
  /** Of those in the file, by the number of their first task, in order of use. */
  readonly #cache = new Map<number, Cached>();
  #cachedBytes = 0;
  /** The two that were found last: claims and the answers that come with them go through neighbours in turn. */
  #lastFound: Chunk | undefined;
  #foundBefore: Chunk | undefined;
  /** Not in the file yet. Tasks are put into the last one. */
  readonly #unwritten: Chunk[] = [];
  #filling: Chunk | undefined;
  #filledBytes = 0;
  /** Tasks were taken out of these: in the present transaction, of those that are written; and of those in the file, before it. */
  #changed = new Set<Chunk>();
  #lateChanged = new Set<Chunk>();
  /** Those that the journal alone has, in order, with some that are not late any more; and those that know their ids. */
  #late: Chunk[] = [];
  #lateGone = 0;
  readonly #lateKnowing: Chunk[] = [];
  /** First numbers of those that were used and then let go of, because there was too much. */
  readonly #letGo = new Set<number>();
  /** Those of them that were read again. */
  #readAgain = new Set<Chunk>();
  /** Since when little is left of the first of those of which little is. */
  readonly #sparse = new Soonest(() => {
    this.settle();
    return this.#sql.nextSparse.get();
  });
  readonly #closings: Closings;
  readonly #singles = new SingleTaskBodies();
  readonly #heldRequests = new HeldRequests();
  readonly #sql;

  constructor(db: Database.Database, writes: Writes) {
    this.#closings = new Closings(db, writes);
    this.#sql = {
      insert: writes.prepare("insert into chunk values(?, ?, ?, ?, ?, ?, ?)"),
      insertBody: writes.prepare("insert into chunk_body values(?, ?)"),
      upTo: db
        .prepare<[number], [seq: number, last: number]>(
          steady("select seq, last from chunk where seq <= +? order by seq desc limit 1"),
        )
        .raw(),
      after: db.prepare<[number], number>(steady("select seq from chunk where seq > +? order by seq limit 1")).pluck(),
      /** The only one that this id, or one of the ids up to it, can be in: their ranges do not overlap. */
      byId: db
        .prepare<[number, string], [seq: number, lastId: string]>(
          steady(
            "select seq, last_id from chunk where namespace = ? and first_id <= +? order by first_id desc limit 1",
          ),
        )
        .raw(),
      /** Their ranges do not overlap: the last one has the greatest. */
      greatestId: db
        .prepare<[number], string>(
          steady(
            "select last_id from chunk where namespace = ? and first_id is not null order by first_id desc limit 1",
          ),
        )
        .pluck(),
      get: db.prepare<[number], { gone: Buffer; sparse_since: number | null; knows_ids: number; body: Buffer }>(
        `select c.gone, c.sparse_since, c.first_id is not null as knows_ids, b.body
         from chunk c join chunk_body b on b.seq = c.seq where c.seq = ?`,
      ),
      update: writes.prepare("update chunk set gone = ?, sparse_since = ? where seq = ?"),
      delete: writes.prepare("delete from chunk where seq = ?"),
      deleteBody: writes.prepare("delete from chunk_body where seq = ?"),
      sparse: db
        .prepare<[number, number], number>(
          steady(
            "select seq from chunk where sparse_since is not null and sparse_since <= ? order by sparse_since limit ?",
          ),
        )
        .pluck(),
      nextSparse: db
        .prepare<[], number>(
          "select sparse_since from chunk where sparse_since is not null order by sparse_since limit 1",
        )
        .pluck(),
    };
  }

  /** Forgets what is in memory: the transaction failed. */
  reset(): void {
    this.#cache.clear();
    this.#cachedBytes = 0;
    this.#lastFound = undefined;
    this.#foundBefore = undefined;
    this.#unwritten.length = 0;
    this.#filling = undefined;
    if (this.#changed.size > 0) this.#changed = new Set();
    if (this.#lateChanged.size > 0) this.#lateChanged = new Set();
    this.#noneLate();
    if (this.#readAgain.size > 0) this.#readAgain = new Set();
    this.#sparse.forget();
    this.#closings.reset();
  }

  /** Whether a task is better off in a chunk than in a row. */
  takes(task: Payloads): boolean {
    return bytesOf(task) <= maxTaskBytes;
  }

  /** Puts a new task in. */
  add(head: ChunkHead, task: ChunkTask): void {
    const bytes = bytesOf(task);
    let filling = this.#filling;
    const isFull = filling === undefined || filling.count === fullAt.tasks || this.#filledBytes + bytes > fullAt.bytes;
    // Those of one queue, since they are claimed together.
    if (filling === undefined || isFull || filling.head.queueId !== head.queueId) {
      const { namespaceId, queueId, addedAt } = head;
      this.#filling = filling = Chunk.begin({ namespaceId, queueId, addedAt }, task);
      this.#filledBytes = bytes;
      this.#unwritten.push(filling);
      return;
    }
    filling.push(task);
    this.#filledBytes += bytes;
  }

  /** The chunk that holds a task; undefined: none does. */
  find(seq: number): InChunk | undefined {
    const chunk = this.#over(seq);
    const index = chunk?.indexOf(seq);
    return chunk === undefined || index === undefined ? undefined : { chunk, index };
  }

  /** Whether an id from the first of these to the last may be in a chunk that knows its ids. */
  knowsSomeId(namespaceId: number, first: string, last: string): boolean {
    if (this.#lateKnowing.some((chunk) => knowsBetween(chunk, namespaceId, first, last))) return true;
    const found = this.#sql.byId.get(namespaceId, last);
    return found !== undefined && found[1] >= first;
  }

  /** The greatest id that a chunk knows, in SQLite's order. */
  greatestId(namespaceId: number): string | undefined {
    this.settle();
    return this.#sql.greatestId.get(namespaceId);
  }

  /** The number of the task with this id, if it is in a chunk that knows its ids. */
  seqOf(namespaceId: number, id: string): number | undefined {
    const late = this.#lateKnowing.find((chunk) => knowsBetween(chunk, namespaceId, id, id));
    if (late !== undefined) return late.seqOf(id);
    const found = this.#sql.byId.get(namespaceId, id);
    return found === undefined || found[1] < id ? undefined : this.#read(found[0]).seqOf(id);
  }

  /** A task is gone, or has a row of its own from now on. */
  takeOut({ chunk, index }: InChunk): void {
    const completed = chunk.completed?.get(index);
    chunk.takeOut(index);
    if (completed !== undefined) this.#closings.takeOut(completed.closing);
    if (chunk.isWritten) this.#changed.add(chunk);
  }

  /** Whether a task that completed and is kept can stay in its chunk. */
  keeps({ chunk }: InChunk, outcome: Buffer | null): boolean {
    return chunk.isWritten && (outcome === null || outcome.length <= maxOutcomeBytes);
  }

  /** A task completed, and is kept in its chunk. `id` is for its closing, if it is the first. */
  complete(
    { chunk, index }: InChunk,
    at: { readonly closedAt: number; readonly keptUntil: number },
    how: { readonly answered: number; readonly outcome: Buffer | null },
    id: () => number,
  ): void {
    chunk.completed ??= new Map();
    chunk.completed.set(index, this.#closings.add(chunk.seq, index, at, how, id));
    const bytes = completedBytes + (how.outcome?.length ?? 0);
    chunk.cachedBytes += bytes;
    this.#cachedBytes += bytes;
  }

  /** The numbers of up to `limit` tasks that completed, and need not be kept any longer. */
  dueCompleted(now: number, limit: number): number[] {
    const due: number[] = [];
    for (const seq of new Set(this.#closings.due(now, limit))) {
      const chunk = this.#read(seq);
      for (const [index, { closing }] of chunk.completed ?? []) {
        if (due.length === limit) return due;
        if (closing.keptUntil <= now) due.push(chunk.seqAt(index));
      }
    }
    return due;
  }

  /** Until when the first of them are kept; undefined: there is none. */
  nextCompleted(): number | undefined {
    return this.#closings.next();
  }

  /** The chunks that have tasks behind a number, in order. Those that are not written yet are left out. */
  *behind(seq: number): Iterable<Chunk> {
    this.settle();
    const over = this.#stored(seq);
    if (over !== undefined) yield over;
    for (let next = this.#sql.after.get(seq); next !== undefined; next = this.#sql.after.get(next)) {
      yield this.#read(next);
    }
  }

  /**
   * Chunks that were used, let go of and read again, as many as have {@link fewRows} tasks. Their tasks are wanted one at a
   * time, as with many fairness keys whose tasks were added one key after the other: each would cost reading all of them.
   */
  takeReadAgain(): Chunk[] {
    const taken: Chunk[] = [];
    let rows = 0;
    for (const chunk of this.#readAgain) {
      if (rows >= fewRows) break;
      // One that was let go of since is not the one that is read next.
      if (this.#cache.get(chunk.seq)?.chunk !== chunk) continue;
      rows += chunk.left;
      taken.push(chunk);
    }
    // The others are met again.
    if (this.#readAgain.size > 0) this.#readAgain = new Set();
    return taken;
  }

  /** Up to `limit` chunks of which little is left since then or longer. */
  *sparse(since: number, limit: number): Iterable<Chunk> {
    const next = this.nextSparse();
    if (next === undefined || next > since) return;
    this.settle();
    this.#sparse.forget();
    // Read one by one: they are large.
    for (const seq of this.#sql.sparse.all(since, limit)) yield this.#read(seq);
  }

  /**
   * Since when little is left of the first of these, or earlier, until they are gone through: that of one of which nothing is
   * left any more counts until then. Undefined: there is none.
   */
  nextSparse(): number | undefined {
    return this.#sparse.get();
  }

  /**
   * Notes what the transaction changed. At its end, and before chunks are gone through.
   *
   * @param known is told of an id that is found here from now on
   */
  flush(now: number, known: (namespaceId: number, id: string) => void): void {
    for (const chunk of this.#unwritten) this.#noteNew(chunk, known);
    this.#unwritten.length = 0;
    this.#filling = undefined;
    for (const chunk of this.#changed) this.#noteChanged(chunk, now);
    if (this.#changed.size > 0) this.#changed = new Set();
    this.#closings.flush();
  }

  /** Writes what the journal alone has. */
  settle(): void {
    const { insert, insertBody, update, delete: remove, deleteBody } = this.#sql;
    for (const chunk of this.#late) {
      if (!chunk.isLate) continue;
      const before = chunk.bytes;
      const { body } = chunk;
      const grown = chunk.bytes - before;
      chunk.cachedBytes += grown;
      this.#cachedBytes += grown;
      chunk.isLate = false;
      insertBody.settle(chunk.seq, body);
      insert.settle(...columnsOf(chunk));
    }
    this.#noneLate();
    for (const chunk of this.#lateChanged) {
      const { seq } = chunk;
      if (chunk.left === 0) {
        remove.settle(seq);
        deleteBody.settle(seq);
        this.#forget(seq, chunk);
      } else {
        update.settle(chunk.gone, chunk.sparseSince ?? null, seq);
      }
    }
    if (this.#lateChanged.size > 0) this.#lateChanged = new Set();
  }

  /** Lets go of what is in memory if it is too much, but for what the journal alone has. Between commits only. */
  evict(): void {
    for (const [seq, { chunk }] of this.#cache) {
      if (this.#cachedBytes <= maxCachedBytes) return;
      // In use, though they are found without the cache.
      if (chunk === this.#lastFound || chunk === this.#foundBefore) continue;
      if (chunk === undefined || chunk.isLate || this.#lateChanged.has(chunk)) continue;
      this.#forget(seq, chunk);
      if (!chunk.wasUsed) continue;
      if (this.#letGo.size >= mostLetGo) this.#letGo.clear();
      this.#letGo.add(seq);
    }
  }

  #noteNew(chunk: Chunk, known: (namespaceId: number, id: string) => void): void {
    if (chunk.left === 0) {
      this.#noLongerFound(chunk);
      return;
    }
    const { seq, count } = chunk;
    const { namespaceId } = chunk.head;
    chunk.knowsIds =
      count >= fewestOrderedIds &&
      chunk.hasOrderedIds() &&
      !this.knowsSomeId(namespaceId, chunk.idAt(0), chunk.idAt(count - 1));
    this.#sql.insertBody.promise(seq, chunk.write(this.#mayBeLeft(chunk) ? this.#singles : undefined));
    this.#sql.insert.promise(...columnsOf(chunk));
    this.#keep(seq, chunk);
    chunk.isLate = true;
    this.#late.push(chunk);
    if (!chunk.knowsIds) return;
    this.#lateKnowing.push(chunk);
    for (let i = 0; i < count; i++) if (chunk.holds(i)) known(namespaceId, chunk.idAt(i));
  }

  #noteChanged(chunk: Chunk, now: number): void {
    const { seq } = chunk;
    if (chunk.left === 0) {
      // Its time stays: to find the next one all that is late would have to be written, with nearly each commit of a drain.
      this.#sql.delete.promise(seq);
      this.#sql.deleteBody.promise(seq);
      if (chunk.isLate) {
        this.#dropLate(chunk);
        return;
      }
    } else {
      if (chunk.sparseSince === undefined && chunk.left * sparseShare <= chunk.count) {
        chunk.sparseSince = now;
        this.#sparse.added(now);
      }
      this.#sql.update.promise(chunk.gone, chunk.sparseSince ?? null, seq);
    }
    if (!chunk.isLate) this.#lateChanged.add(chunk);
  }

  /** The journal alone has it: there is nothing to write of it, and nothing but its place to be held in memory. */
  #dropLate(chunk: Chunk): void {
    chunk.isLate = false;
    this.#lateGone += 1;
    if (this.#lateGone >= fewestGone && 2 * this.#lateGone >= this.#late.length) {
      this.#late = this.#late.filter(({ isLate }) => isLate);
      this.#lateGone = 0;
    }
    if (chunk.knowsIds) this.#lateKnowing.splice(this.#lateKnowing.indexOf(chunk), 1);
    this.#forget(chunk.seq, chunk);
    chunk.clear();
  }

  /** Whether one of a single task is left without a body for now. */
  #mayBeLeft({ heldRequest }: Chunk): boolean {
    return heldRequest !== undefined && this.#heldRequests.holds(heldRequest);
  }

  #noneLate(): void {
    this.#heldRequests.letGo();
    this.#late.length = 0;
    this.#lateGone = 0;
    this.#lateKnowing.length = 0;
  }

  /** The chunk that this number falls into, whether or not the task is in it. */
  #over(seq: number): Chunk | undefined {
    const last = this.#lastFound;
    if (last !== undefined && isOver(last, seq)) return last;
    const before = this.#foundBefore;
    this.#foundBefore = last;
    if (before !== undefined && isOver(before, seq)) return (this.#lastFound = before);
    const unwritten = overIn(this.#unwritten, seq) ?? this.#lateOver(seq);
    if (unwritten !== undefined) return (this.#lastFound = unwritten);
    const stored = this.#stored(seq);
    if (stored !== undefined) this.#use(stored);
    return (this.#lastFound = stored);
  }

  #lateOver(seq: number): Chunk | undefined {
    const over = overIn(this.#late, seq);
    return over?.isLate === true ? over : undefined;
  }

  #use(chunk: Chunk): void {
    if (chunk.wasUsed) return;
    chunk.wasUsed = true;
    if (this.#letGo.delete(chunk.seq)) this.#readAgain.add(chunk);
  }

  #stored(seq: number): Chunk | undefined {
    const found = this.#sql.upTo.get(seq);
    return found === undefined || found[1] < seq ? undefined : this.#read(found[0]);
  }

  #read(seq: number): Chunk {
    const cached = this.#cache.get(seq);
    if (cached?.chunk !== undefined) {
      this.#cache.delete(seq);
      this.#cache.set(seq, cached);
      return cached.chunk;
    }
    const row = this.#sql.get.get(seq);
    if (row === undefined) throw new Error(`chunk ${seq} is gone while a row names it`);
    const { body, gone, sparse_since, knows_ids } = row;
    const chunk = Chunk.read(body, gone, { sparseSince: sparse_since ?? undefined, knowsIds: knows_ids !== 0 });
    chunk.completed = this.#closings.of(seq, (index) => chunk.holds(index));
    this.#keep(seq, chunk);
    return chunk;
  }

  #keep(seq: number, chunk: Chunk): void {
    this.#cache.set(seq, { chunk });
    chunk.cachedBytes = chunk.bytes;
    for (const { outcome } of chunk.completed?.values() ?? [])
      chunk.cachedBytes += completedBytes + (outcome?.length ?? 0);
    this.#cachedBytes += chunk.cachedBytes;
  }

  #forget(seq: number, chunk: Chunk): void {
    const cached = this.#cache.get(seq);
    if (cached !== undefined) {
      this.#cache.delete(seq);
      cached.chunk = undefined;
      this.#cachedBytes -= chunk.cachedBytes;
    }
    this.#noLongerFound(chunk);
  }

  #noLongerFound(chunk: Chunk): void {
    if (this.#lastFound === chunk) this.#lastFound = undefined;
    if (this.#foundBefore === chunk) this.#foundBefore = undefined;
  }
}

/**
 * A chunk in the cache, until it is let go of: a Map that many entries come to and go from keeps, in tables that it has
 * given up, what was in them then (see the core's churn.ts). A chunk is far too large for that.
 */
interface Cached {
  chunk: Chunk | undefined;
}

/** What a task has that may be large. */
type Payloads = Pick<ChunkTask, "input" | "headers" | "options" | "closedTask">;

/** How many bytes these are, about. */
function bytesOf({ input, headers, options, closedTask }: Payloads): number {
  return input.length + (headers?.length ?? 0) + (options?.length ?? 0) + (closedTask?.length ?? 0);
}

/** Its row. */
function columnsOf(chunk: Chunk): readonly Value[] {
  const { seq, count, knowsIds, head } = chunk;
  const ids = knowsIds ? [chunk.idAt(0), chunk.idAt(count - 1)] : [null, null];
  return [seq, chunk.last, chunk.gone, chunk.sparseSince ?? null, head.namespaceId, ...ids];
}

/** Whether an id from the first of these to the last may be in a chunk that knows its ids. */
function knowsBetween(chunk: Chunk, namespaceId: number, first: string, last: string): boolean {
  return chunk.head.namespaceId === namespaceId && chunk.idAt(0) <= last && chunk.idAt(chunk.count - 1) >= first;
}

function isOver({ seq: first, last }: Chunk, seq: number): boolean {
  return first <= seq && seq <= last;
}

/** The one of these chunks, which are in order, that a number falls into. There may be one for each of many queues. */
function overIn(chunks: readonly Chunk[], seq: number): Chunk | undefined {
  let low = 0;
  let high = chunks.length;
  // The first that ends with this number or behind it.
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((chunks[middle]?.last ?? seq) < seq) low = middle + 1;
    else high = middle;
  }
  const found = chunks[low];
  return found !== undefined && found.seq <= seq ? found : undefined;
}
