/*
 * When the log is on disk. SQLite writes a commit into its write-ahead log and goes on (synchronous=NORMAL); that the log
 * reaches the disk is seen to here, while the process does other work, and whoever has to wait for it waits.
 *
 * What SQLite promises of it: frames are taken from a log only as far as their checksums hold, so a crash leaves the
 * commits up to some moment, and all of those that were synced; and a checkpoint syncs the log before it writes to the
 * database (https://www.sqlite.org/wal.html, https://www.sqlite.org/pragma.html#pragma_synchronous).
 */
import { closeSync, fdatasync, fdatasyncSync, openSync } from "node:fs";
import { StoreError } from "@tq/storage";

/** The system calls that it makes. */
export interface SyncCalls {
  readonly later: (fd: number, done: (error: Error | null) => void) => void;
  readonly now: (fd: number) => void;
}

const systemCalls: SyncCalls = { later: fdatasync, now: fdatasyncSync };

/** For tests, of which nothing is there to outlive the machine: whatever is written counts as on disk at once. */
export const syncedAtOnce: SyncCalls = { later: (_fd, done) => done(null), now: () => undefined };

/** Everything is on disk. */
const onDisk = Promise.resolve();

/** One sync, and those who wait for it. */
interface Sync {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: StoreError) => void;
}

/** Syncs the log of one open database, one sync at a time. */
export class LogSync {
  readonly #path: string;
  readonly #fd: number;
  readonly #calls: SyncCalls;
  /** It is under way, and began after what waits for it was written. */
  #running: Sync | undefined;
  /** What was written since: the next one. */
  #next: Sync | undefined;
  #lost: StoreError | undefined;
  #isClosing = false;

  /** @param path of the log, which must exist */
  constructor(path: string, calls: SyncCalls = systemCalls) {
    this.#path = path;
    this.#fd = openSync(path, "r+");
    this.#calls = calls;
  }

  /** Set once a sync has failed: what was written since the last one may be on disk or not. */
  get lost(): StoreError | undefined {
    return this.#lost;
  }

  /** Something was written: resolves once it is on disk. */
  written(): Promise<void> {
    if (this.#lost !== undefined) return failed(this.#lost);
    if (this.#running === undefined) {
      const sync = newSync();
      this.#running = sync;
      this.#start(sync);
      return sync.promise;
    }
    this.#next ??= newSync();
    return this.#next.promise;
  }

  /** Something was written, and it is worth waiting for the disk at once. */
  writtenNow(): Promise<void> {
    if (this.#running !== undefined || this.#lost !== undefined) return this.written();
    try {
      this.#calls.now(this.#fd);
      return onDisk;
    } catch (error) {
      return failed(this.#lose(error));
    }
  }

  /** Resolves once everything that was written is on disk. */
  settled(): Promise<void> {
    return (this.#next ?? this.#running)?.promise ?? (this.#lost === undefined ? onDisk : failed(this.#lost));
  }

  /** Whether everything that was written is on disk. */
  get isSettled(): boolean {
    return this.#running === undefined && this.#lost === undefined;
  }

  /** Waits for what is under way, and lets go of the file. */
  async close(): Promise<void> {
    if (this.#isClosing) return;
    this.#isClosing = true;
    // Whoever waits hears of a failure; closing is not worse for it.
    await this.settled().catch(() => undefined);
    closeSync(this.#fd);
  }

  #start(sync: Sync): void {
    this.#calls.later(this.#fd, (error) => {
      const next = this.#next;
      this.#next = undefined;
      this.#running = undefined;
      if (error !== null) {
        const lost = this.#lose(error);
        sync.reject(lost);
        next?.reject(lost);
        return;
      }
      if (next !== undefined) {
        this.#running = next;
        this.#start(next);
      }
      sync.resolve();
    });
  }

  /** The system may have thrown away what it could not write, and would not say so again: no later sync can be believed. */
  #lose(cause: unknown): StoreError {
    const why = cause instanceof Error ? cause.message : String(cause);
    this.#lost ??= new StoreError(
      "lost",
      `the disk did not confirm what was written to ${this.#path}: ${why}. Look after the disk, and start the server anew.`,
      { cause },
    );
    return this.#lost;
  }
}

/** Somebody may wait for it or nobody; the error is kept for the next one who asks. */
function failed(error: StoreError): Promise<void> {
  const promise = Promise.reject<void>(error);
  promise.catch(() => undefined);
  return promise;
}

function newSync(): Sync {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  promise.catch(() => undefined);
  return { promise, resolve, reject };
}
