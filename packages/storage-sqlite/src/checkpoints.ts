/*
 * Brings what SQLite's write-ahead log holds into the database, so that the log can begin anew, in a thread of its own: SQLite
 * by itself does it inside the commit that makes the log long enough, and that commit then takes 5 to 10 ms and more.
 *
 * The log begins anew only at a commit that finds all of it in the database (https://www.sqlite.org/wal.html#ckpt). While
 * commits go on there is always a little that came since; once it is little enough, it is done between two transactions.
 */
import { Worker } from "node:worker_threads";
import type Database from "better-sqlite3";

/** How long the log gets, in pages of 4 KiB, before it is worth it: SQLite's own number. */
const pagesOfLog = 1_000;
/** So few pages are written between two transactions: about a millisecond. */
const fewPages = 64;
/** How often the thread is sent again before the rest is done between two transactions however long it takes. */
const mostPasses = 8;

/** How much of the log there is, and how much of it is in the database; in pages. */
export interface LogState {
  readonly log: number;
  readonly checkpointed: number;
}

/** What the thread says after each checkpoint: how it stands, or why it failed. */
export type CheckpointNews = LogState | string;

/** Checkpoints the database of one open connection. */
export class Checkpoints {
  readonly #look: Database.Statement<[], LogState>;
  readonly #checkpoint: Database.Statement<[], LogState>;
  readonly #db: Database.Database;
  readonly #failed: (why: string) => void;
  #thread: Worker | undefined;
  #passes = 0;
  /** Nothing is tried before the log is so long. */
  #notBefore = pagesOfLog;
  #isBusy = false;
  /** What is left is little, or never becomes so: the rest is done between two transactions. */
  #isToFinish = false;

  /** @param failed told why a checkpoint could not be made; it is tried again once the log has grown */
  constructor(db: Database.Database, path: string, failed: (why: string) => void) {
    this.#db = db;
    this.#failed = failed;
    this.#look = db.prepare<[], LogState>("pragma wal_checkpoint(noop)");
    this.#checkpoint = db.prepare<[], LogState>("pragma wal_checkpoint(passive)");
    db.pragma("wal_autocheckpoint = 0");
    // Written out like this so that bundlers find the module.
    const thread = new Worker(new URL("./checkpoint-thread.js", import.meta.url), {
      name: "tq checkpoint",
      workerData: path,
    });
    thread.unref();
    thread.on("message", (news: CheckpointNews) => this.#done(news));
    thread.on("error", (error: unknown) => this.#gone(error instanceof Error ? error.message : String(error)));
    thread.on("exit", (code) => this.#gone(`the thread has ended with code ${code}`));
    this.#thread = thread;
  }

  /** A transaction was committed, and none is under way. */
  committed(): void {
    if (this.#isBusy || this.#thread === undefined) return;
    if (this.#isToFinish) {
      this.#isToFinish = false;
      this.#finish();
      return;
    }
    try {
      if ((this.#look.get()?.log ?? 0) < this.#notBefore) return;
    } catch (error) {
      // The commit has happened, and must not look as if it had not.
      this.#failed(error instanceof Error ? error.message : String(error));
      return;
    }
    this.#passes = 0;
    this.#send(this.#thread);
  }

  /** Ends the thread. What the log holds stays there, for SQLite to do as it closes the file. */
  async close(): Promise<void> {
    const thread = this.#thread;
    if (thread === undefined) return;
    this.#thread = undefined;
    thread.ref();
    const ended = new Promise((resolve) => thread.once("exit", resolve));
    thread.postMessage("close");
    await ended;
  }

  #send(thread: Worker): void {
    this.#isBusy = true;
    this.#passes += 1;
    thread.postMessage("checkpoint");
  }

  #done(news: CheckpointNews): void {
    this.#isBusy = false;
    if (this.#thread === undefined) return;
    if (typeof news === "string") {
      this.#notBefore += pagesOfLog;
      this.#failed(news);
    } else if (news.log - news.checkpointed > fewPages && this.#passes < mostPasses) {
      this.#send(this.#thread);
    } else {
      this.#notBefore = pagesOfLog;
      this.#isToFinish = true;
    }
  }

  /** The rest: the next transaction finds a log that may begin anew. */
  #finish(): void {
    try {
      this.#checkpoint.get();
    } catch (error) {
      this.#notBefore += pagesOfLog;
      this.#failed(error instanceof Error ? error.message : String(error));
    }
  }

  /** Without its thread, SQLite does it inside commits again. */
  #gone(why: string): void {
    if (this.#thread === undefined) return;
    this.#thread = undefined;
    this.#isBusy = false;
    if (this.#db.open) this.#db.pragma(`wal_autocheckpoint = ${pagesOfLog}`);
    this.#failed(why);
  }
}
