import { copyFileSync, mkdirSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Store } from "@tq/storage";
import type { Harness, StoreHome } from "@tq/storage/exercise";
import Database from "better-sqlite3";
import { syncedAtOnce } from "../src/journal/log-sync.ts";
import { SqliteStore, type SqliteStoreOptions } from "../src/sqlite-store.ts";
import { InvariantChecker } from "./invariants.ts";
import { seeded } from "./seeded.ts";
import { removeFolder, temporaryFolder } from "./temporary.ts";

/** What a killed process would leave: the database, SQLite's log and the journal. */
export function copyDatabase(from: string, to: string): void {
  for (const name of readdirSync(dirname(from))) {
    if (/^tq\.db(-wal|-log\.\d+\.[01])?$/.test(name)) copyFileSync(join(dirname(from), name), join(dirname(to), name));
  }
}

/** So that tests of a few commits see everything: commits that are settled, and those that are not, and both files used. */
const sometimesSettled = {
  logCalls: syncedAtOnce,
  journalLimits: { commits: 7, bytes: 100_000, segmentBytes: 128 * 1_024 },
};

/** A SQLite file for one test. */
export class SqliteHome implements StoreHome {
  readonly #folder = temporaryFolder();
  readonly #random = seeded(1);
  readonly #settings: Pick<SqliteStoreOptions, "logCalls" | "journalLimits">;
  #life = 0;
  #store: SqliteStore | undefined;
  #checker: InvariantChecker | undefined;

  get #path(): string {
    return join(this.#folder, `${this.#life}`, "tq.db");
  }

  /** @param settings of its stores. Default: settled after every few commits */
  constructor(settings: Pick<SqliteStoreOptions, "logCalls" | "journalLimits"> = sometimesSettled) {
    this.#settings = settings;
    mkdirSync(join(this.#folder, "0"));
  }

  store(): Store {
    return (this.#store = new SqliteStore({ path: this.#path, random: this.#random, ...this.#settings }));
  }

  /** What the file system holds at this moment is what a killed process would leave. */
  async crash(): Promise<void> {
    this.#forgetChecker();
    const dead = this.#path;
    this.#life += 1;
    mkdirSync(join(this.#folder, `${this.#life}`));
    copyDatabase(dead, this.#path);
  }

  async takeOver(): Promise<void> {
    // Between two transactions: while one is under way nobody else can write.
    this.#store?.settle();
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
