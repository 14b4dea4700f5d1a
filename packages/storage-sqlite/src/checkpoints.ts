/*
 * Brings what SQLite's write-ahead log holds into the database, so that the log can begin anew, in a thread of its own: SQLite
 * by itself does it inside the commit that makes the log long enough, and that commit then takes 5 to 10 ms and more.
 *
 * The log begins anew only at a commit that finds all of it in the database (https://www.sqlite.org/wal.html#ckpt). While
 * commits go on there is always what the last one wrote. Where that is little, it is done between two transactions; a bulk of
 * adds writes megabytes each time, which would hold it up for 10 to 40 ms, and so the log first gets long.
 */
import { Worker } from "node:worker_threads";
import type Database from "better-sqlite3";
import { whyOf } from "./why.ts";

/** How long the log gets, in pages of 4 KiB, before it is worth it: SQLite's own number. */
const pagesOfLog = 1_000;
/** So few pages are written between two transactions: a few milliseconds. */
const fewPages = 256;
/** So long a log, of 32 MiB, begins anew however long that takes. */
const mostPagesOfLog = 8_192;

/** How much of the log there is, and how much of it is in the database; in pages. */
export interface LogState {
  readonly log: number;
  readonly checkpointed: number;
}

/** What the thread says after each checkpoint: how it stands, or why it failed. */
export type CheckpointNews = LogState | string;

/** What is asked of the thread: a worker thread's, or what stands for one. */
export type CheckpointThread = Pick<Worker, "on" | "once" | "postMessage" | "ref" | "unref">;

/** Starts the thread for the database at `path`. */
export function startCheckpointThread(path: string): CheckpointThread {
  // Written out like this so that bundlers find the module.
  return new Worker(new URL("./checkpoint-thread.js", import.meta.url), { name: "tq checkpoint", workerData: path });
}

/** Checkpoints the database of one open connection. */
export class Checkpoints {
  readonly #look: Database.Statement<[], LogState>;
  readonly #checkpoint: Database.Statement<[], LogState>;
  readonly #db: Database.Database;
  readonly #failed: (why: string) => void;
  #thread: CheckpointThread | undefined;
  /** Nothing is tried before the log is so long. */
  #notBefore = pagesOfLog;
  #isBusy = false;
  /** The thread has last done all that there was: what came since may be little. */
  #isNearlyDone = false;

  /** @param failed told why a checkpoint could not be made; it is tried again once the log has grown */
  constructor(db: Database.Database, thread: CheckpointThread, failed: (why: string) => void) {
    this.#db = db;
    this.#failed = failed;
    this.#look = db.prepare<[], LogState>("pragma wal_checkpoint(noop)");
    this.#checkpoint = db.prepare<[], LogState>("pragma wal_checkpoint(passive)");
    db.pragma("wal_autocheckpoint = 0");
    thread.unref();
    thread.on("message", (news: CheckpointNews) => this.#done(news));
    thread.on("error", (error: unknown) => this.#gone(whyOf(error)));
    thread.on("exit", (code) => this.#gone(`the thread has ended with code ${code}`));
    this.#thread = thread;
  }

  /** A transaction was committed, and none is under way. */
  committed(): void {
    if (this.#isBusy || this.#thread === undefined) return;
    let state: LogState | undefined;
    try {
      state = this.#look.get();
    } catch (error) {
      // The commit has happened, and must not look as if it had not.
      this.#failed(whyOf(error));
      return;
    }
    if (state === undefined || state.log < this.#notBefore) return;
    const { log, checkpointed } = state;
    // A log of which nothing was done is another one than the thread's last, which has begun anew.
    const isNearlyDone = this.#isNearlyDone && checkpointed > 0;
    if (isNearlyDone && (log - checkpointed <= fewPages || log >= mostPagesOfLog)) this.#finish();
    else this.#send(this.#thread);
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

  #send(thread: CheckpointThread): void {
    this.#isBusy = true;
    thread.postMessage("checkpoint");
  }

  #done(news: CheckpointNews): void {
    this.#isBusy = false;
    if (this.#thread === undefined) return;
    if (typeof news === "string") this.#later(news);
    else this.#isNearlyDone = this.#noted(news);
  }

  /** The rest: the next transaction finds a log that may begin anew. */
  #finish(): void {
    this.#isNearlyDone = false;
    try {
      this.#noted(this.#checkpoint.get() ?? nothing);
    } catch (error) {
      this.#later(whyOf(error));
    }
  }

  /** How a checkpoint has left the log. Answers whether it has done all of it: what is left then, a reader holds. */
  #noted({ log, checkpointed }: LogState): boolean {
    const isWhole = checkpointed >= log;
    this.#notBefore = isWhole ? pagesOfLog : log + pagesOfLog;
    return isWhole;
  }

  /** It could not be done. */
  #later(why: string): void {
    this.#isNearlyDone = false;
    this.#notBefore += pagesOfLog;
    this.#failed(why);
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

const nothing: LogState = { log: 0, checkpointed: 0 };
