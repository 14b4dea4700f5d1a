import type Database from "better-sqlite3";
import type { NamespaceRecord } from "@tq/storage";
import type { Writes } from "./journal/writes.ts";

/** The namespaces. They are few and never removed, so they are all held in memory. */
export class Namespaces {
  readonly #byName = new Map<string, { readonly id: number; readonly record: NamespaceRecord }>();
  readonly #nameById = new Map<number, string>();
  readonly #sql;

  constructor(db: Database.Database, writes: Writes) {
    this.#sql = {
      all: db.prepare<[], { id: number; name: string; description: string; created_at: number }>(
        "select id, name, description, created_at from namespace order by name",
      ),
      insert: writes.prepare("insert into namespace(name, description, created_at) values(?, ?, ?)"),
    };
  }

  /** Reads them anew. */
  reset(): void {
    this.#byName.clear();
    this.#nameById.clear();
    for (const { id, name, description, created_at } of this.#sql.all.all()) {
      this.#byName.set(name, { id, record: { name, description, createdAt: created_at } });
      this.#nameById.set(id, name);
    }
  }

  idOf(name: string): number | undefined {
    return this.#byName.get(name)?.id;
  }

  nameOf(id: number): string {
    const name = this.#nameById.get(id);
    if (name === undefined) throw new Error(`namespace ${id} is gone while a row names it`);
    return name;
  }

  get(name: string): NamespaceRecord | undefined {
    return this.#byName.get(name)?.record;
  }

  all(): NamespaceRecord[] {
    return [...this.#byName.values()].map(({ record }) => record).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Creates one. The caller has checked that there is none of this name. */
  create(name: string, description: string, now: number): NamespaceRecord {
    this.#sql.insert.run(name, description, now);
    this.reset();
    return { name, description, createdAt: now };
  }
}
