import type Database from "better-sqlite3";
import { isAscii } from "./chunk.ts";
import type { Chunks } from "./chunks.ts";

/**
 * Which number a task id has. An index with an entry for each id would be half of what a task costs; so a chunk whose ids
 * are in order, as those are that one client makes, and among which there are no others' yet, knows them itself. All others
 * are in the index, and what a transaction changes there is written together at its end.
 */
export class TaskIds {
  /** By namespace. Of these an id may be in both: then it was removed first. */
  #added = new Map<number, Map<string, number>>();
  #removed = new Map<number, Set<string>>();
  readonly #chunks: Chunks;
  readonly #sql;

  constructor(db: Database.Database, chunks: Chunks) {
    this.#chunks = chunks;
    this.#sql = {
      get: db.prepare<[number, string], number>("select seq from task_id where namespace = ? and id = ?").pluck(),
      between: db
        .prepare<[number, string, string], number>(
          "select exists(select 1 from task_id where namespace = ? and id between ? and ?)",
        )
        .pluck(),
      find: db
        .prepare<[number, string], [id: string, seq: number]>(
          "select id, seq from task_id where namespace = ? and id in (select value from json_each(?))",
        )
        .raw(),
      add: db.prepare("insert into task_id select ?, value ->> 0, value ->> 1 from json_each(?)"),
      remove: db.prepare("delete from task_id where namespace = ? and id in (select value from json_each(?))"),
    };
  }

  /** Forgets what is in memory: the transaction failed. */
  reset(): void {
    if (this.#added.size > 0) this.#added = new Map();
    if (this.#removed.size > 0) this.#removed = new Map();
  }

  /** The number of the task that has this id now, open or kept. */
  get(namespaceId: number, id: string): number | undefined {
    const added = this.#added.get(namespaceId)?.get(id);
    if (added !== undefined) return added;
    const isRemoved = this.#removed.get(namespaceId)?.has(id) === true;
    const indexed = isRemoved ? undefined : this.#sql.get.get(namespaceId, id);
    return indexed ?? this.#chunks.seqOf(namespaceId, id);
  }

  /** The same for many ids at once: those that some task has. */
  find(namespaceId: number, ids: readonly string[]): [id: string, seq: number][] {
    const [some = ""] = ids;
    let [first, last] = [some, some];
    for (const id of ids) {
      if (id < first) first = id;
      else if (id > last) last = id;
    }
    // Mostly nothing is there, which two questions tell of all of them.
    const inOrder = isAscii(ids);
    const inIndex = !inOrder || this.#sql.between.get(namespaceId, first, last) !== 0;
    const inChunks = !inOrder || this.#chunks.knowsSomeId(namespaceId, first, last);
    const found = new Map<string, number>();
    if (inIndex) this.#findInIndex(namespaceId, ids, found);
    if (inChunks) {
      for (const id of ids) {
        const seq = this.#chunks.seqOf(namespaceId, id);
        if (seq !== undefined) found.set(id, seq);
      }
    }
    const added = this.#added.get(namespaceId);
    if (added === undefined || added.size === 0) return [...found];
    for (const id of ids) {
      const seq = added.get(id);
      if (seq !== undefined) found.set(id, seq);
    }
    return [...found];
  }

  /** Nobody has the id. */
  add(namespaceId: number, id: string, seq: number): void {
    let added = this.#added.get(namespaceId);
    if (added === undefined) this.#added.set(namespaceId, (added = new Map<string, number>()));
    added.set(id, seq);
  }

  remove(namespaceId: number, id: string): void {
    if (this.#added.get(namespaceId)?.delete(id) === true) return;
    let removed = this.#removed.get(namespaceId);
    if (removed === undefined) this.#removed.set(namespaceId, (removed = new Set<string>()));
    removed.add(id);
  }

  /** An id that was added is known to the chunk of its task from now on. */
  leaveToChunk(namespaceId: number, id: string): void {
    this.#added.get(namespaceId)?.delete(id);
  }

  /** Writes what the transaction changed. */
  flush(): void {
    for (const [namespaceId, ids] of this.#removed) {
      if (ids.size > 0) this.#sql.remove.run(namespaceId, JSON.stringify([...ids]));
    }
    for (const [namespaceId, ids] of this.#added) {
      if (ids.size > 0) this.#sql.add.run(namespaceId, JSON.stringify([...ids]));
    }
    this.reset();
  }

  #findInIndex(namespaceId: number, ids: readonly string[], found: Map<string, number>): void {
    const removed = this.#removed.get(namespaceId);
    for (const [id, seq] of this.#sql.find.all(namespaceId, JSON.stringify(ids))) {
      if (removed?.has(id) !== true) found.set(id, seq);
    }
  }
}
