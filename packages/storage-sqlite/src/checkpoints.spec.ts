/* When what is checkpointed, with a thread whose turns the test decides. */
import { EventEmitter } from "node:events";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { removeFolder, temporaryFolder } from "../test/temporary.ts";
import { Checkpoints, type CheckpointThread, type LogState } from "./checkpoints.ts";

/** Stands for the thread: does what it was asked for when it is told to. */
class FakeThread extends EventEmitter {
  asked = 0;
  readonly #checkpoint;

  constructor(db: Database.Database) {
    super();
    this.#checkpoint = db.prepare<[], LogState>("pragma wal_checkpoint(passive)");
  }

  postMessage(): void {
    this.asked += 1;
  }

  ref(): void {}
  unref(): void {}

  works(): void {
    this.emit("message", this.#checkpoint.get());
  }

  fails(): void {
    this.emit("message", "no space");
  }
}

describe("checkpoints", () => {
  let folder: string;
  let db: Database.Database;
  let other: Database.Database;
  let thread: FakeThread;
  let checkpoints: Checkpoints;
  const failures: string[] = [];

  beforeEach(() => {
    folder = temporaryFolder();
    const path = join(folder, "a.db");
    db = new Database(path);
    db.pragma("journal_mode = WAL");
    db.pragma("synchronous = OFF");
    db.exec("create table a(page blob)");
    other = new Database(path);
    thread = new FakeThread(other);
    checkpoints = new Checkpoints(db, thread as unknown as CheckpointThread, (why) => void failures.push(why));
    failures.length = 0;
  });

  afterEach(() => {
    other.close();
    db.close();
    removeFolder(folder);
  });

  /** Commits so many pages, about, and says so. Answers how the log stands then. */
  function commit(pages: number): LogState {
    const insert = db.prepare("insert into a values(zeroblob(4000))");
    db.transaction(() => {
      for (let n = 0; n < pages; n++) insert.run();
    })();
    checkpoints.committed();
    return look();
  }

  /** The same, and the thread works while the transaction is under way: so the log goes on where it was. */
  function commitMeanwhile(pages: number): LogState {
    db.exec("begin immediate");
    thread.works();
    const insert = db.prepare("insert into a values(zeroblob(4000))");
    for (let n = 0; n < pages; n++) insert.run();
    db.exec("commit");
    checkpoints.committed();
    return look();
  }

  function look(): LogState {
    return db.prepare<[], LogState>("pragma wal_checkpoint(noop)").get() ?? { log: -1, checkpointed: -1 };
  }

  test("the thread does what makes the log long, again where much has come since, and little is done at once", () => {
    expect(commit(900).log).toBeGreaterThan(800);
    expect(thread.asked).toBe(0);
    commit(200);
    expect(thread.asked).toBe(1);
    const much = commitMeanwhile(600);
    expect(much.log - much.checkpointed).toBeGreaterThan(500);
    expect(thread.asked).toBe(2);
    const little = commitMeanwhile(10);
    expect(little.checkpointed).toBe(little.log);
    expect(thread.asked).toBe(2);
    // All of it is in the database, so that the log begins anew.
    expect(commit(10).log).toBeLessThan(100);
  });

  test("of a log of 8,192 pages the rest is done at once, however much it is", () => {
    commit(1_100);
    let state = look();
    let asked = 1;
    while (state.log < 7_500) {
      state = commitMeanwhile(600);
      asked += 1;
      expect(thread.asked).toBe(asked);
      expect(state.log - state.checkpointed).toBeGreaterThan(500);
    }
    state = commitMeanwhile(1_000);
    expect(state.checkpointed).toBe(state.log);
    expect(thread.asked).toBe(asked);
    expect(commit(10).log).toBeLessThan(100);
  });

  test("a log that nothing was done of is the thread's, however long it is", () => {
    commit(1_100);
    thread.works();
    // All of the log is in the database, so that it begins anew.
    const state = commit(9_000);
    expect(thread.asked).toBe(2);
    expect(state.checkpointed).toBe(0);
    expect(state.log).toBeGreaterThan(9_000);
  });

  test("what a reader holds is left until the log has grown", () => {
    commit(500);
    other.exec("begin; select count(*) from a");
    const thirdThread = new Database(join(folder, "a.db"));
    commit(600);
    expect(thread.asked).toBe(1);
    thread.emit("message", thirdThread.prepare("pragma wal_checkpoint(passive)").get());
    expect(look().checkpointed).toBeLessThan(look().log);
    commit(600);
    expect(thread.asked).toBe(1);
    commit(600);
    expect(thread.asked).toBe(2);
    other.exec("commit");
    thread.works();
    expect(look().checkpointed).toBe(look().log);
    thirdThread.close();
  });

  test("what failed is tried again once the log has grown, and from the beginning once it has worked", () => {
    commit(1_100);
    thread.fails();
    commit(500);
    expect(thread.asked).toBe(1);
    commit(500);
    expect(thread.asked).toBe(2);
    thread.fails();
    commit(1_000);
    expect(thread.asked).toBe(3);
    thread.works();
    // The log has begun anew.
    expect(commit(900).log).toBeLessThan(1_000);
    commit(200);
    expect(thread.asked).toBe(4);
    expect(failures).toEqual(["no space", "no space"]);
  });
});
