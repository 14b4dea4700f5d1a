/*
 * When the journal is on disk. A commit is put into it in memory; the bytes are written here, one write at a time and
 * each on disk when it ends, while the process does other work, and whoever has to wait for them waits.
 */
import { fdatasync, fdatasyncSync, write, writeSync } from "node:fs";
import { StoreError } from "@tq/storage";
import { whyOf } from "../why.ts";

/** The system calls that it makes. Files are open with O_DSYNC: what is written is on disk. */
export interface LogCalls {
  readonly writeLater: (fd: number, bytes: Uint8Array, position: number, done: (error: Error | null) => void) => void;
  readonly writeNow: (fd: number, bytes: Uint8Array, position: number) => void;
  /** Syncs the database's own log. */
  readonly syncLater: (fd: number, done: (error: Error | null) => void) => void;
  readonly syncNow: (fd: number) => void;
  /** Ms since some moment, to tell a quick disk from a slow one. */
  readonly elapsed: () => number;
  /** Calls back in a millisecond or so; answers what cancels it. Undefined: nothing is put off. */
  readonly soon?: (callback: () => void) => () => void;
}

/** The system's own. */
export const systemCalls: LogCalls = {
  writeLater: writeAllLater,
  writeNow: writeAll,
  syncLater: fdatasync,
  syncNow: fdatasyncSync,
  elapsed: () => performance.now(),
  soon: (callback) => {
    const timer = setTimeout(callback, 1);
    return () => clearTimeout(timer);
  },
};

/** For tests, of which nothing is there to outlive the machine: whatever is written counts as on disk at once. */
export const syncedAtOnce: LogCalls = {
  writeLater: (fd, bytes, position, done) => {
    writeAll(fd, bytes, position);
    done(null);
  },
  writeNow: writeAll,
  syncLater: (_fd, done) => done(null),
  syncNow: () => undefined,
  elapsed: () => 0,
};

/** Where a write to a file that is open with O_DSYNC is on disk when it returns. Elsewhere that is not said, or means less. */
const isWrittenThrough = process.platform === "linux";

function writeAll(fd: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done, bytes.length - done, position + done);
  if (!isWrittenThrough) fdatasyncSync(fd);
}

function writeAllLater(fd: number, bytes: Uint8Array, position: number, done: (error: Error | null) => void): void {
  write(fd, bytes, 0, bytes.length, position, (error, written) => {
    if (error !== null) done(error);
    else if (written < bytes.length) writeAllLater(fd, bytes.subarray(written), position + written, done);
    else if (isWrittenThrough) done(null);
    else fdatasync(fd, done);
  });
}

/** Bytes, and where they go. */
export interface Piece {
  readonly fd: number;
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly position: number;
}

/** A disk that takes longer than this for a write, usually, is waited for by a thread. */
const quickMs = 2;
/** Over how many writes that is seen, and how slow one of them may count as. */
const writesNoted = 16;
const mostMsNoted = 8;
/** After so many it is tried again how quick the disk is. */
const writesByThread = 128;
/** What is larger than this takes its time on any disk. */
const largeBytes = 256 * 1_024;

/** Everything is on disk. */
const done = Promise.resolve();

/** One sync, and those who wait for it. */
interface Sync {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: StoreError) => void;
}

/** Writes a journal, one piece at a time. */
export class LogSync {
  readonly #take: () => Piece;
  readonly #calls: LogCalls;
  /** It is under way, and began after what waits for it was written. */
  #running: Sync | undefined;
  /** How long a write takes while the process waits, about. */
  #usualMs = 0;
  /** How many writes are left to a thread before it is tried again. */
  #byThread = 0;
  /** What was written since: the next one. */
  #next: Sync | undefined;
  /** What is still to be written, since nobody waits for it. */
  #putOff: { readonly sync: Sync; readonly cancel: () => void } | undefined;
  #lost: StoreError | undefined;

  /** @param take gives everything that there is to write */
  constructor(take: () => Piece, calls: LogCalls = systemCalls) {
    this.#take = take;
    this.#calls = calls;
  }

  /** Set once a sync has failed: what was written since the last one may be on disk or not. */
  get lost(): StoreError | undefined {
    return this.#lost;
  }

  /**
   * There is something to write: resolves once it is on disk. Where the disk is quick the process waits for it at once:
   * on a busy machine a thread gives back in milliseconds what took a tenth of one.
   */
  written(): Promise<void> {
    if (this.#lost !== undefined) return failed(this.#lost);
    if (this.#running !== undefined) {
      this.#next ??= newSync();
      return this.#next.promise;
    }
    const piece = this.#take();
    const putOff = this.#putOff;
    this.#putOff = undefined;
    putOff?.cancel();
    let onDisk: Promise<void>;
    if (this.#byThread === 0 && piece.bytes.length <= largeBytes) {
      onDisk = this.#writeNow(piece);
    } else {
      if (this.#byThread > 0) this.#byThread -= 1;
      const sync = newSync();
      this.#start(sync, piece);
      onDisk = sync.promise;
    }
    if (putOff !== undefined) onDisk.then(putOff.sync.resolve, putOff.sync.reject);
    return onDisk;
  }

  /** The same, where nobody waits for it: with what is written next, if that comes soon. */
  writtenSoon(): Promise<void> {
    const { soon } = this.#calls;
    if (soon === undefined || this.#running !== undefined || this.#lost !== undefined) return this.written();
    this.#putOff ??= { sync: newSync(), cancel: soon(() => void this.written()) };
    return this.#putOff.sync.promise;
  }

  /** What is put off is not written any more. */
  forget(): void {
    this.#putOff?.cancel();
    this.#putOff = undefined;
  }

  /** Resolves once everything that was written is on disk. */
  settled(): Promise<void> {
    if (this.#putOff !== undefined) return this.written();
    return (this.#next ?? this.#running)?.promise ?? (this.#lost === undefined ? done : failed(this.#lost));
  }

  /** Whether everything that was written is on disk. */
  get isSettled(): boolean {
    return this.#running === undefined && this.#putOff === undefined && this.#lost === undefined;
  }

  #writeNow({ fd, path, bytes, position }: Piece): Promise<void> {
    const from = this.#calls.elapsed();
    try {
      this.#calls.writeNow(fd, bytes, position);
    } catch (error) {
      return failed(this.lose(error, path));
    }
    const ms = this.#calls.elapsed() - from;
    // A single slow one says little.
    this.#usualMs += (Math.min(ms, mostMsNoted) - this.#usualMs) / writesNoted;
    if (this.#usualMs > quickMs) {
      this.#usualMs = 0;
      this.#byThread = writesByThread;
    }
    return done;
  }

  #start(sync: Sync, { fd, path, bytes, position }: Piece): void {
    this.#running = sync;
    this.#calls.writeLater(fd, bytes, position, (error) => {
      const next = this.#next;
      this.#next = undefined;
      this.#running = undefined;
      if (error !== null) {
        const lost = this.lose(error, path);
        sync.reject(lost);
        next?.reject(lost);
        return;
      }
      if (next !== undefined) this.#start(next, this.#take());
      sync.resolve();
    });
  }

  /** The system may have thrown away what it could not write, and would not say so again: no later sync can be believed. */
  lose(cause: unknown, path: string): StoreError {
    const why = whyOf(cause);
    this.#lost ??= new StoreError(
      "lost",
      `the disk did not confirm what was written to ${path}: ${why}. Look after the disk, and start the server anew.`,
      { cause },
    );
    this.#putOff?.sync.reject(this.#lost);
    this.forget();
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
