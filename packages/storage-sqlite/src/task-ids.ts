import type Database from "better-sqlite3";
import { isAscii } from "./chunk.ts";
import type { Chunks } from "./chunks.ts";
import { GreatestId } from "./greatest-id.ts";
import type { Writes } from "./journal/writes.ts";

/**
 * Which number a task id has. An index with an entry for each id would be half of what a task costs; so a chunk whose ids
 * are in order, as those are that one client makes, and among which there are no others' yet, knows them itself. All others
 * are in the index, and what a transaction changes there is written together at its end.
 */
export class TaskIds {
  /** What the present transaction changed. */
  #changes = new IdChanges();
  /** What those before it changed, and the journal alone has. */
  #late = new IdChanges();
  readonly #chunks: Chunks;
  /** Of those that were added and of those before, gone or not. */
  readonly #greatest = new GreatestId((namespaceId) => {
    this.settle();
    const indexed = this.#sql.greatest.get(namespaceId) ?? "";
    const inChunk = this.#chunks.greatestId(namespaceId) ?? "";
    // In SQLite's order: neither need be ASCII.
    return Buffer.compare(Buffer.from(indexed), Buffer.from(inChunk)) < 0 ? inChunk : indexed;
  });
  readonly #sql;

  constructor(db: Database.Database, writes: Writes, chunks: Chunks) {
    this.#chunks = chunks;
    this.#sql = {
      get: db.prepare<[number, string], number>("select seq from task_id where namespace = ? and id = ?").pluck(),
      greatest: db.prepare<[number], string | null>("select max(id) from task_id where namespace = ?").pluck(),
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
      add: writes.prepare("insert into task_id select ?, value ->> 0, value ->> 1 from json_each(?)"),
      remove: writes.prepare("delete from task_id where namespace = ? and id in (select value from json_each(?))"),
    };
  }

  /** Forgets what is in memory: the transaction failed. */
  reset(): void {
    this.#changes = new IdChanges();
    this.#late = new IdChanges();
    this.#greatest.forget();
  }

  /** The number of the task that has this id now, open or kept. */
  get(namespaceId: number, id: string): number | undefined {
    const changed = this.#changed(namespaceId, id);
    const indexed = changed === undefined ? this.#sql.get.get(namespaceId, id) : changed;
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
    if (inOrder && this.#greatest.isAbove(namespaceId, first)) return [];
    const inIndex = !inOrder || this.#sql.between.get(namespaceId, first, last) !== 0;
    const inChunks = !inOrder || this.#chunks.knowsSomeId(namespaceId, first, last);
    const found = new Map<string, number>();
    if (inIndex) {
      for (const [id, seq] of this.#sql.find.all(namespaceId, JSON.stringify(ids))) found.set(id, seq);
    }
    if (inIndex || !this.#late.isEmpty || !this.#changes.isEmpty) {
      for (const id of ids) {
        const changed = this.#changed(namespaceId, id);
        if (changed === null) found.delete(id);
        else if (changed !== undefined) found.set(id, changed);
      }
    }
    if (inChunks) {
      for (const id of ids) {
        const seq = this.#chunks.seqOf(namespaceId, id);
        if (seq !== undefined) found.set(id, seq);
      }
    }
    return [...found];
  }

  /** Nobody has the id. */
  add(namespaceId: number, id: string, seq: number): void {
    this.#greatest.note(namespaceId, id);
    this.#changes.of(namespaceId).add(id, seq);
  }

  remove(namespaceId: number, id: string): void {
    this.#changes.of(namespaceId).remove(id);
  }

  /** An id that was added is known to the chunk of its task from now on. */
  leaveToChunk(namespaceId: number, id: string): void {
    this.#changes.of(namespaceId).added.delete(id);
  }

  /** Notes what the transaction changed. */
  flush(): void {
    if (this.#changes.isEmpty) return;
    const { add, remove } = this.#sql;
    for (const [namespaceId, { added, removed }] of this.#changes.all()) {
      const late = this.#late.of(namespaceId);
      if (removed.size > 0) remove.promise(namespaceId, JSON.stringify([...removed]));
      for (const id of removed) late.remove(id);
      if (added.size > 0) add.promise(namespaceId, JSON.stringify([...added]));
      for (const [id, seq] of added) late.add(id, seq);
    }
    this.#changes = new IdChanges();
  }

  /** Writes what the journal alone has. */
  settle(): void {
    if (this.#late.isEmpty) return;
    for (const [namespaceId, { added, removed }] of this.#late.all()) {
      if (removed.size > 0) this.#sql.remove.settle(namespaceId, JSON.stringify([...removed]));
      if (added.size > 0) this.#sql.add.settle(namespaceId, JSON.stringify([...added]));
    }
    this.#late = new IdChanges();
  }

  /** The number that was added for an id; null: it was removed; undefined: the file says. */
  #changed(namespaceId: number, id: string): number | null | undefined {
    const changed = this.#changes.get(namespaceId, id);
    return changed === undefined ? this.#late.get(namespaceId, id) : changed;
  }
}

/** What changed in the index, by namespace. */
class IdChanges {
  readonly #byNamespace = new Map<number, NamespaceChanges>();

  get isEmpty(): boolean {
    for (const { added, removed } of this.#byNamespace.values()) if (added.size > 0 || removed.size > 0) return false;
    return true;
  }

  get(namespaceId: number, id: string): number | null | undefined {
    const changes = this.#byNamespace.get(namespaceId);
    if (changes === undefined) return undefined;
    return changes.added.get(id) ?? (changes.removed.has(id) ? null : undefined);
  }

  of(namespaceId: number): NamespaceChanges {
    let changes = this.#byNamespace.get(namespaceId);
    if (changes === undefined) this.#byNamespace.set(namespaceId, (changes = new NamespaceChanges()));
    return changes;
  }

  all(): Iterable<[namespaceId: number, changes: NamespaceChanges]> {
    return this.#byNamespace;
  }
}

/** What changed in the index of one namespace. An id may be in both: then it was removed first. */
class NamespaceChanges {
  readonly added = new Map<string, number>();
  readonly removed = new Set<string>();

  add(id: string, seq: number): void {
    this.added.set(id, seq);
  }

  remove(id: string): void {
    if (!this.added.delete(id)) this.removed.add(id);
  }
}
