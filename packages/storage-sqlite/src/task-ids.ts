import type Database from "better-sqlite3";

/**
 * Which number a task id has. What a transaction changes is written together at its end, with a statement or two: asked
 * one by one, ids would be a third of what an add costs.
 */
export class TaskIds {
  /** By namespace. Of these an id may be in both: then it was removed first. */
  readonly #added = new Map<number, Map<string, number>>();
  readonly #removed = new Map<number, Set<string>>();
  readonly #sql;

  constructor(db: Database.Database) {
    this.#sql = {
      get: db.prepare<[number, string], number>("select seq from task_id where namespace = ? and id = ?").pluck(),
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
    this.#added.clear();
    this.#removed.clear();
  }

  /** The number of the task that has this id now, open or kept. */
  get(namespaceId: number, id: string): number | undefined {
    const added = this.#added.get(namespaceId)?.get(id);
    if (added !== undefined || this.#removed.get(namespaceId)?.has(id) === true) return added;
    return this.#sql.get.get(namespaceId, id);
  }

  /** The same for many ids at once: those that some task has. */
  find(namespaceId: number, ids: readonly string[]): [id: string, seq: number][] {
    const removed = this.#removed.get(namespaceId);
    const found = this.#sql.find.all(namespaceId, JSON.stringify(ids));
    const present = removed === undefined ? found : found.filter(([id]) => !removed.has(id));
    const added = this.#added.get(namespaceId);
    if (added === undefined) return present;
    for (const id of ids) {
      const seq = added.get(id);
      if (seq !== undefined) present.push([id, seq]);
    }
    return present;
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
}
