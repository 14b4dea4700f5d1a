/*
 * What is committed stands here before it is in the database. A commit is a record of the statements that it ran; once the
 * record is on disk the commit is acknowledged. SQLite's own transaction goes on over many commits, and is committed now
 * and then: it is then settled. After a crash the records behind the last settling are run again.
 *
 * So a commit of one task costs one small write instead of the 20 or more of a transaction of SQLite, which writes each
 * page that was touched whole (measured: half of the server's system time and a fifth of the latency of a single task).
 */
import { closeSync, openSync } from "node:fs";
import type { StoreError } from "@tq/storage";
import { Blocks } from "./blocks.ts";
import { eachRecord, RecordBuffer, type JournalRecord, readRecords, type Value } from "./encoding.ts";
import { LogSync, systemCalls, type LogCalls, type Piece } from "./log-sync.ts";
import { Segments } from "./segments.ts";

/** What a test may want smaller. */
export interface JournalLimits {
  /** How many commits go into one transaction of SQLite, at most. */
  readonly commits: number;
  /** How many bytes of records as they lie in a file, about: as many are run again after a crash. */
  readonly bytes: number;
  /** Size of a file: twice as much or more, so that it need not grow. */
  readonly segmentBytes: number;
}

/** What is usual. */
export const journalLimits: JournalLimits = {
  commits: 256,
  bytes: 4 * 1_024 * 1_024,
  segmentBytes: 8 * 1_024 * 1_024,
};

/** How much memory there is for records at first, and how much of it is kept from one settling to the next. */
const firstBytes = 64 * 1_024;
const mostBytesKept = 8 * 1_024 * 1_024;

/** The journal of an open store. */
export class Journal {
  readonly #limits: JournalLimits;
  readonly #calls: LogCalls;
  readonly #segments: Segments;
  readonly #sync: LogSync;
  readonly #wal: string;
  readonly #walFd: number;
  /** The records since the last settling. */
  #window = new RecordBuffer(firstBytes);
  /** What is being written of them. */
  readonly #blocks = new Blocks();
  /** How much of the window has been handed to be written. */
  #taken = 0;
  #commits = 0;
  #last: number;
  /** By number; those that the present file defines. */
  readonly #statements: string[] = [];
  #defined = new Set<number>();
  /** Records that were settled before anybody came to write them. */
  #untaken: Buffer[] = [];
  #turns = 0;
  /** Whether what was settled before the last turn is on disk in the database. */
  #isOtherFree = true;

  /** @param database its path, its epoch, and the number of the last record that is in it; SQLite's own log must exist */
  constructor(
    database: { readonly path: string; readonly epoch: number; readonly last: number },
    limits: JournalLimits = journalLimits,
    calls: LogCalls = systemCalls,
  ) {
    this.#limits = limits;
    this.#calls = calls;
    this.#last = database.last;
    this.#wal = `${database.path}-wal`;
    this.#segments = new Segments(database.path, database.epoch, limits.segmentBytes);
    this.#walFd = openSync(this.#wal, "r+");
    this.#sync = new LogSync(() => this.#take(), calls);
  }

  /** Number of the last record. */
  get last(): number {
    return this.#last;
  }

  /** Set once a write has failed: what was written since the one before may be on disk or not. */
  get lost(): StoreError | undefined {
    return this.#sync.lost;
  }

  /** Whether it is time to settle. */
  get isDue(): boolean {
    return this.#commits >= this.#limits.commits || this.#window.bytesInFile >= this.#limits.bytes;
  }

  /** Whether it should have been settled long ago. */
  get isOverdue(): boolean {
    return this.#commits >= 4 * this.#limits.commits || this.#window.bytesInFile >= 4 * this.#limits.bytes;
  }

  /** Whether the record under way says anything. */
  get hasChanges(): boolean {
    return this.#window.hasEntries;
  }

  /** Gives a statement its number. */
  statement(sql: string): number {
    return this.#statements.push(sql) - 1;
  }

  /** Begins the record of a commit. What was begun and not finished is forgotten. */
  begin(): void {
    this.#window.begin();
  }

  /** A statement was run, or would have been: what it changes may wait for the next settling. */
  log(statement: number, values: readonly Value[]): void {
    if (!this.#defined.has(statement)) {
      this.#window.define(statement, this.#statements[statement] ?? "");
      this.#defined.add(statement);
    }
    this.#window.change(statement, values);
  }

  /** Ends the record. It is still to be written. */
  finish(now: number, numbers: number): void {
    this.#commits += 1;
    this.#window.finish(++this.#last, now, numbers);
  }

  /** What was begun is no record after all. */
  abandon(): void {
    // What it has defined, the next record defines again.
    this.#defined = new Set();
    this.#window.begin();
  }

  /** Writes what there is: resolves once it is on disk. */
  written(): Promise<void> {
    return this.#sync.written();
  }

  /** The same, where nobody waits for it: perhaps with what is written next. */
  writtenSoon(): Promise<void> {
    return this.#sync.writtenSoon();
  }

  /** Resolves once every record is on disk. */
  onDisk(): Promise<void> {
    return this.#sync.settled();
  }

  /** Whether every record is on disk. */
  get isOnDisk(): boolean {
    return this.#sync.isSettled;
  }

  /** The records since the last settling: what a transaction that was rolled back has to do again. */
  unsettled(): JournalRecord[] {
    return [...readRecords(this.#window.from(0))];
  }

  /** What a statement's number stands for. */
  readonly sqlOf = (statement: number): string | undefined => this.#statements[statement];

  /** Everything is in the database now, and committed there. Of every record {@link written} was asked. */
  settled(): void {
    this.#commits = 0;
    const rest = this.#window.from(this.#taken);
    if (rest.length > 0) this.#untaken.push(Buffer.from(rest));
    if (this.#window.capacity > mostBytesKept) this.#window = new RecordBuffer(mostBytesKept);
    this.#window.clear();
    this.#taken = 0;
    if (this.#segments.isFull) this.#turn();
  }

  /** Sees to it that what was settled is on disk in the database, and lets go of the files. Nothing may be under way. */
  close(): void {
    try {
      this.#calls.syncNow(this.#walFd);
    } finally {
      this.abandonFiles();
    }
  }

  /** Lets go of the files. */
  abandonFiles(): void {
    this.#sync.forget();
    this.#segments.close();
    closeSync(this.#walFd);
  }

  /** Everything that is to be written, at its place in the file. One write has ended before the next is asked for. */
  #take(): Piece {
    const rest = this.#window.from(this.#taken);
    this.#taken += rest.length;
    const bytes = this.#blocks.layOut([...this.#untaken, rest].flatMap(eachRecord));
    this.#untaken = [];
    const { fd, path } = this.#segments;
    return { fd, path, bytes, position: this.#segments.advance(bytes.length) };
  }

  /**
   * Goes on in the other file. What that one holds was settled before the last turn: it is free once SQLite's log has been
   * synced since.
   */
  #turn(): void {
    if (!this.#isOtherFree) this.#syncNow();
    this.#segments.turn();
    this.#defined = new Set();
    this.#isOtherFree = false;
    this.#turns += 1;
    const turn = this.#turns;
    this.#calls.syncLater(this.#walFd, (error) => {
      if (error !== null) this.#sync.lose(error, this.#wal);
      else if (turn === this.#turns) this.#isOtherFree = true;
    });
  }

  #syncNow(): void {
    try {
      this.#calls.syncNow(this.#walFd);
    } catch (error) {
      throw this.#sync.lose(error, this.#wal);
    }
  }
}
