import type { Store } from "@tq/storage";
import { StoreError } from "@tq/storage";
import type { Harness, StoreHome } from "@tq/storage/exercise";
import Database from "better-sqlite3";
import { SqliteHome } from "./home.ts";

/** What a statement did once it was to fail. */
type Failing = "nothing" | "rolled back";

type Prepare = (sql: string) => object;
type Member = (...values: readonly unknown[]) => unknown;

/**
 * Makes statements fail as a full disk does: some leave the transaction as it is, for some SQLite takes all of it back.
 * Put in place of the driver's own `prepare` for as long as a test runs.
 */
export class FailingStatements {
  readonly #next: (sql: string) => Failing | undefined;
  readonly #prepare = Reflect.get(Database.prototype, "prepare") as Prepare;
  /** How many have failed. */
  failed = 0;

  /** @param next whether the next statement fails */
  constructor(next: (sql: string) => Failing | undefined) {
    this.#next = next;
  }

  start(): void {
    const [prepare, fail] = [this.#prepare, (db: Database.Database, sql: string) => this.#fail(db, sql)];
    const failing = function (this: Database.Database, sql: string) {
      return failingStatement(prepare.call(this, sql), () => fail(this, sql));
    };
    Reflect.set(Database.prototype, "prepare", failing);
  }

  stop(): void {
    Reflect.set(Database.prototype, "prepare", this.#prepare);
  }

  #fail(db: Database.Database, sql: string): void {
    if (sql === "rollback") return;
    const failing = this.#next(sql);
    if (failing === undefined) return;
    this.failed += 1;
    if (failing === "rolled back" && db.inTransaction) db.exec("rollback");
    throw new Database.SqliteError(`${sql.slice(0, 30)} fails by chance`, "SQLITE_FULL");
  }
}

/** @param fail throws if it is to fail, before anything is done */
function failingStatement(statement: object, fail: () => void): object {
  const failing: object = new Proxy(statement, {
    get: (target, name) => {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== "function") return member;
      const call = member.bind(target) as Member;
      if (name === "run" || name === "get" || name === "all")
        return (...values: unknown[]) => (fail(), call(...values));
      // Such as pluck: it answers the statement.
      return (...values: unknown[]) => {
        const answer = call(...values);
        return answer === target ? failing : answer;
      };
    },
  });
  return failing;
}

/** Tries everything again until there is room. */
function stubborn(store: Store): Store {
  return new Proxy(store, {
    get: (target, name) => {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== "function") return member;
      const ask = member.bind(target) as Member;
      if (name === "close") return ask;
      return async (...args: unknown[]) => {
        for (let tries = 0; ; tries++) {
          try {
            return await ask(...args);
          } catch (error) {
            if (tries === 100 || !(error instanceof StoreError) || error.code !== "unavailable") throw error;
          }
        }
      };
    },
  });
}

/**
 * Stores that are asked again while statements fail.
 *
 * @param check looks into the file, or does not: not after every commit
 */
export function whileFailing(check: (look: () => Promise<void>) => Promise<void>): Harness {
  return {
    home: async (): Promise<StoreHome> => {
      const home = new SqliteHome();
      const inner = new WeakMap<Store, Store>();
      return {
        store: () => {
          const store = home.store();
          const outer = stubborn(store);
          inner.set(outer, store);
          return outer;
        },
        crash: async () => home.crash(),
        takeOver: async () => home.takeOver(),
        dispose: async () => home.dispose(),
        checkInvariants: async (store) => {
          await check(async () => home.checkInvariants(inner.get(store) ?? store));
        },
      };
    },
  };
}
