import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Commit, Committed, PlanClaims, Store } from "@tq/storage";
import type { Harness, StoreHome } from "@tq/storage/exercise";
import Database from "better-sqlite3";
import { expect } from "vitest";
import { inspect } from "node:util";
import { syncedAtOnce } from "../src/journal/log-sync.ts";
import { SqliteStore } from "../src/sqlite-store.ts";
import { copyDatabase } from "./home.ts";
import { InvariantChecker } from "./invariants.ts";
import { seeded } from "./seeded.ts";
import { removeFolder, temporaryFolder } from "./temporary.ts";

/** How often the second settles: never by itself, and after so many commits. */
const windows = [Number.MAX_SAFE_INTEGER, 11, 3];

/** Two stores that are told the same: one settles at every commit, the other rarely. They are to answer the same. */
class Twins implements Store {
  readonly description: string;
  readonly #often: SqliteStore;
  readonly #rarely: SqliteStore;
  readonly #paths: readonly [string, string];
  #commits = 0;

  constructor(paths: readonly [string, string], randoms: readonly [() => number, () => number], commits: number) {
    const [often, rarely] = paths;
    const journalLimits = { commits, bytes: Number.MAX_SAFE_INTEGER, segmentBytes: 128 * 1_024 };
    this.#paths = paths;
    this.#often = new SqliteStore({ path: often, random: randoms[0], logCalls: syncedAtOnce });
    this.#rarely = new SqliteStore({ path: rarely, random: randoms[1], logCalls: syncedAtOnce, journalLimits });
    this.description = `twins ${often} ${rarely}`;
  }

  open: Store["open"] = async (at) => {
    const opened = await this.#both("open", (store) => store.open(at));
    // What was run again comes to the same as what was written by the commits themselves.
    const [often, rarely] = this.#paths;
    expect(tablesOf(rarely)).toEqual(tablesOf(often));
    for (const [path, store] of [[often, this.#often] as const, [rarely, this.#rarely] as const]) {
      const checker = new InvariantChecker(path);
      await checker.check(store);
      checker.close();
    }
    return opened;
  };

  async commit(commit: Commit): Promise<Committed> {
    const [plan, again] = twice(commit.plan);
    const committed = await this.#both("commit", async (store) => {
      const { durable, ...said } = await store.commit({ ...commit, plan: store === this.#often ? plan : again });
      await durable;
      return said;
    });
    this.#often.settle();
    // Now and then there is a moment for what is done between two commits.
    if (this.#commits++ % 2 === 0) await new Promise((resolve) => void setImmediate(resolve));
    return { ...committed, durable: Promise.resolve() };
  }

  backup: Store["backup"] = async (...args) => this.#often.backup(...args);

  async close(): Promise<void> {
    await Promise.all([this.#often.close(), this.#rarely.close()]);
  }

  settle(): void {
    this.#rarely.settle();
  }

  getTasks: Store["getTasks"] = async (...args) => this.#both("getTasks", (store) => store.getTasks(...args));
  listTasks: Store["listTasks"] = async (...args) => this.#both("listTasks", (store) => store.listTasks(...args));
  listTaskQueues: Store["listTaskQueues"] = async (...args) =>
    this.#both("listTaskQueues", (store) => store.listTaskQueues(...args));
  describeTaskQueue: Store["describeTaskQueue"] = async (queue) =>
    this.#both("describeTaskQueue", (store) => store.describeTaskQueue(queue));
  countLeased: Store["countLeased"] = async (...args) =>
    this.#both("countLeased", (store) => store.countLeased(...args));
  startedByWorker: Store["startedByWorker"] = async (namespace) =>
    this.#both("startedByWorker", (store) => store.startedByWorker(namespace));
  heldBy: Store["heldBy"] = async (...args) => this.#both("heldBy", (store) => store.heldBy(...args));
  listEvents: Store["listEvents"] = async (...args) => this.#both("listEvents", (store) => store.listEvents(...args));
  describeNamespace: Store["describeNamespace"] = async (name) =>
    this.#both("describeNamespace", (store) => store.describeNamespace(name));
  listNamespaces: Store["listNamespaces"] = async () => this.#both("listNamespaces", (store) => store.listNamespaces());
  hasNamespace: Store["hasNamespace"] = async (name) => this.#both("hasNamespace", (store) => store.hasNamespace(name));

  /** Asks both; their answers, or what they throw, are the same. */
  async #both<Answer>(what: string, ask: (store: SqliteStore) => Promise<Answer>): Promise<Answer> {
    const [often] = await Promise.allSettled([ask(this.#often)]);
    const [rarely] = await Promise.allSettled([ask(this.#rarely)]);
    if (!equals(rarely, often)) {
      const difference = [inspect(rarely, { depth: 9 }), inspect(often, { depth: 9 })].join(
        "\nwhere it settled often: ",
      );
      throw new Error(`${what}: ${difference}`);
    }
    if (often.status === "rejected") throw often.reason;
    return often.value;
  }
}

function equals(one: unknown, other: unknown): boolean {
  try {
    expect(one).toEqual(other);
    return true;
  } catch {
    return false;
  }
}

/** A plan that both get, made once. */
function twice(make: PlanClaims): readonly [PlanClaims, PlanClaims] {
  let made: () => ReturnType<PlanClaims> = () => {
    throw new Error("the first made no plan");
  };
  let seen: unknown;
  const first: PlanClaims = (touched, results) => {
    seen = { touched: new Map(touched), results };
    try {
      const order = make(touched, results);
      made = () => order;
      return order;
    } catch (error) {
      made = () => {
        throw error;
      };
      throw error;
    }
  };
  const second: PlanClaims = (touched, results) => {
    expect({ touched, results }).toEqual(seen);
    return made();
  };
  return [first, second];
}

/** Every row of every table. */
function tablesOf(path: string): Record<string, string[]> {
  const db = new Database(path, { readonly: true });
  try {
    const names = db
      .prepare<[], string>("select name from sqlite_master where type = 'table' order by name")
      .pluck()
      .all();
    const rowsOf = (name: string) => db.prepare<[], unknown[]>(`select * from ${name}`).raw().all();
    return Object.fromEntries(names.map((name) => [name, rowsOf(name).map((row) => JSON.stringify(row.map(asText)))]));
  } finally {
    db.close();
  }
}

function asText(value: unknown): unknown {
  return value instanceof Uint8Array ? Buffer.from(value).toString("latin1") : value;
}

/** The folders of two stores for one test. */
class TwinsHome implements StoreHome {
  readonly #folder = temporaryFolder();
  readonly #randoms = [seeded(1), seeded(1)] as const;
  readonly #commits: number;
  #life = 0;
  #store: Twins | undefined;

  /** @param commits how many go by, at most, before the second settles */
  constructor(commits: number) {
    this.#commits = commits;
    this.#makeFolders();
  }

  get #paths(): readonly [string, string] {
    const [often, rarely] = ["often", "rarely"].map((name) => join(this.#folder, `${this.#life}-${name}`, "tq.db"));
    return [String(often), String(rarely)];
  }

  store(): Store {
    return (this.#store = new Twins(this.#paths, this.#randoms, this.#commits));
  }

  async crash(): Promise<void> {
    const dead = this.#paths;
    this.#life += 1;
    this.#makeFolders();
    for (const [i, path] of this.#paths.entries()) copyDatabase(String(dead[i]), path);
  }

  async takeOver(): Promise<void> {
    this.#store?.settle();
    for (const path of this.#paths) {
      const rival = new Database(path);
      rival.exec("update shard set epoch = epoch + 1");
      rival.close();
    }
  }

  async dispose(): Promise<void> {
    removeFolder(this.#folder);
  }

  #makeFolders(): void {
    for (const path of this.#paths) mkdirSync(join(path, ".."));
  }
}

let homes = 0;

/** Each test's second store settles as often as that of another, in turn. */
export const twins: Harness = {
  home: async () => new TwinsHome(windows[homes++ % windows.length] ?? 1),
};
