import { copyFileSync, existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Store } from "@tq/storage";
import type { Harness, StoreHome } from "@tq/storage/exercise";
import Database from "better-sqlite3";
import { SqliteStore } from "../src/sqlite-store.ts";
import { InvariantChecker } from "./invariants.ts";
import { seeded } from "./seeded.ts";
import { removeFolder, temporaryFolder } from "./temporary.ts";

/** A SQLite file for one test. */
class SqliteHome implements StoreHome {
  readonly #folder = temporaryFolder();
  readonly #random = seeded(1);
  #life = 0;
  #checker: InvariantChecker | undefined;

  get #path(): string {
    return join(this.#folder, `${this.#life}`, "tq.db");
  }

  constructor() {
    mkdirSync(join(this.#folder, "0"));
  }

  store(): Store {
    return new SqliteStore({ path: this.#path, random: this.#random });
  }

  /** What the file system holds at this moment is what a killed process would leave. */
  async crash(): Promise<void> {
    this.#forgetChecker();
    const dead = this.#path;
    this.#life += 1;
    mkdirSync(join(this.#folder, `${this.#life}`));
    for (const suffix of ["", "-wal"]) {
      if (existsSync(dead + suffix)) copyFileSync(dead + suffix, this.#path + suffix);
    }
  }

  async takeOver(): Promise<void> {
    const rival = new Database(this.#path);
    rival.exec("update shard set epoch = epoch + 1");
    rival.close();
  }

  async checkInvariants(store: Store): Promise<void> {
    this.#checker ??= new InvariantChecker(this.#path);
    await this.#checker.check(store);
  }

  async dispose(): Promise<void> {
    this.#forgetChecker();
    removeFolder(this.#folder);
  }

  #forgetChecker(): void {
    this.#checker?.close();
    this.#checker = undefined;
  }
}

/** The harness of this engine. */
export const sqlite: Harness = { home: async () => new SqliteHome() };
