/*
 * The files of a journal: two, of which one is written while the other waits to be used again. They are named after the
 * epoch, so that a store never takes another's records for its own, nor those that were left beside a backup that was put
 * in the database's place.
 *
 * A file is written full of zeros before its first use, and from then on only written over: that syncs in half the time of
 * one that grows, since the file system has nothing to note but the bytes.
 */
import {
  closeSync,
  constants,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeSync,
  fsyncSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { StoreError } from "@tq/storage";
import { blockBytes, blocksOfMemory } from "./blocks.ts";
import { readRecords, type JournalRecord } from "./encoding.ts";

/** A page: a file that is filled with larger pieces is kept in larger ones, and a sync writes them whole. */
const zeros = blocksOfMemory(blockBytes);

/** The files of one epoch's journal. */
export class Segments {
  readonly #path: string;
  readonly #bytes: number;
  readonly #fds: readonly [number, number];
  #current: 0 | 1 = 0;
  #position = 0;

  /**
   * @param database path of the database that it belongs to
   * @param bytes how long a file is; a record that comes last may make it longer
   */
  constructor(database: string, epoch: number, bytes: number) {
    this.#path = segmentPath(database, epoch);
    this.#bytes = bytes;
    // Both now: later it would take the time of a dozen commits.
    const first = create(`${this.#path}0`, bytes);
    try {
      this.#fds = [first, create(`${this.#path}1`, bytes)];
    } catch (error) {
      closeSync(first);
      rmSync(`${this.#path}0`);
      throw error;
    }
  }

  get path(): string {
    return `${this.#path}${this.#current}`;
  }

  get fd(): number {
    return this.#fds[this.#current];
  }

  /** Where the next bytes go, which are whole blocks. Moves on by so many. */
  advance(bytes: number): number {
    const position = this.#position;
    this.#position += bytes;
    return position;
  }

  /**
   * Whether it is time for the other one: at half, since as much may be written until that is asked again. To make a file
   * longer takes time, and a disk that is full would be one that fails.
   */
  get isFull(): boolean {
    return this.#position >= this.#bytes / 2;
  }

  /** Goes on in the other file, from its beginning. What it holds must be in the database, and synced there. */
  turn(): void {
    this.#current = this.#current === 0 ? 1 : 0;
    this.#position = 0;
  }

  close(): void {
    for (const fd of this.#fds) closeSync(fd);
  }
}

/** What a journal has of what is perhaps not in the database. */
export interface Found {
  /** In order. */
  readonly records: readonly JournalRecord[];
  /** What the numbers of their statements stand for. */
  readonly statements: ReadonlyMap<number, string>;
}

/** The records that an epoch's journal has behind a number. */
export function recordsBehind(database: string, epoch: number, number: number): Found {
  const files = filesOf(database)
    .filter(({ ofEpoch }) => ofEpoch === epoch)
    .map(({ path }) => [...readRecords(readFileSync(path), blockBytes)])
    .sort(([a], [b]) => (a?.number ?? 0) - (b?.number ?? 0));
  const statements = new Map<number, string>();
  const records: JournalRecord[] = [];
  let last = number;
  for (const record of files.flat()) {
    for (const [statement, sql] of record.definitions) statements.set(statement, sql);
    if (record.number <= last) continue;
    if (record.number !== last + 1) {
      throw new StoreError(
        "unusable",
        `${database} ends with commit ${last}, and the log beside it goes on with ${record.number}: they do not belong ` +
          "together. Put the files back as they were, or restore a backup into an empty folder.",
      );
    }
    records.push(record);
    last = record.number;
  }
  return { records, statements };
}

/** Removes the journals of some epochs: their records are in the database, and synced there. */
export function removeJournals(database: string, which: (epoch: number) => boolean): void {
  for (const { path, ofEpoch } of filesOf(database)) if (which(ofEpoch)) rmSync(path, { force: true });
}

/** The files of all journals beside a database. */
function filesOf(database: string): { readonly path: string; readonly ofEpoch: number }[] {
  const folder = dirname(database);
  const prefix = `${basename(database)}-log.`;
  // Somebody may have taken it away since the database was opened.
  if (!existsSync(folder)) return [];
  return readdirSync(folder).flatMap((name) => {
    const ofEpoch = name.startsWith(prefix) ? /^(\d+)\.[01]$/.exec(name.slice(prefix.length))?.[1] : undefined;
    return ofEpoch === undefined ? [] : [{ path: join(folder, name), ofEpoch: Number(ofEpoch) }];
  });
}

function segmentPath(database: string, epoch: number): string {
  return `${database}-log.${epoch}.`;
}

function create(path: string, bytes: number): number {
  const fd = openSync(path, "w");
  try {
    for (let at = 0; at < bytes; at += zeros.length) writeSync(fd, zeros, 0, zeros.length, at);
    fsyncSync(fd);
  } catch (error) {
    // What there was no room for is not to take the rest of it.
    rmSync(path);
    throw error;
  } finally {
    closeSync(fd);
  }
  const folder = openSync(dirname(path), "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
  return openToWrite(path);
}

/**
 * Each write is on disk when it returns: one system call instead of a write and a sync. It goes past the system's cache where
 * the file system lets it: some refuse to open a file so, some to write to it.
 */
function openToWrite(path: string): number {
  const flags = constants.O_WRONLY | (constants.O_DSYNC ?? 0);
  try {
    const fd = openSync(path, flags | (constants.O_DIRECT ?? 0));
    try {
      writeSync(fd, zeros, 0, zeros.length, 0);
      return fd;
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    if (!["EINVAL", "ENOTSUP", "EOPNOTSUPP"].includes(code)) throw error;
    return openSync(path, flags);
  }
}
