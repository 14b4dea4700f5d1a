import { realpathSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import Database from "better-sqlite3";
import { StoreError } from "@tq/storage";

/** Keeps other servers away from a file until it is released, or this process ends in whatever way. */
export interface FileLock {
  release(): void;
}

/**
 * Takes the lock of a database file. Node has no file locks of its own, but SQLite does: an exclusive transaction on a
 * file beside it is held for as long as the process lives, and the system lets go of it even after a kill -9.
 *
 * @throws StoreError "locked" if another server has it
 */
export function lockFile(path: string): FileLock {
  const db = openLock(path);
  try {
    db.pragma("busy_timeout = 0");
    // Nothing is ever written: the lock is all that is wanted.
    db.pragma("journal_mode = MEMORY");
    db.exec("begin exclusive");
  } catch (error) {
    db.close();
    if (error instanceof Database.SqliteError && error.code === "SQLITE_BUSY") {
      throw new StoreError("locked", `another tq server has ${path} open. Stop it first, or name another data folder.`, { cause: error });
    }
    throw error;
  }
  return { release: () => void db.close() };
}

function openLock(path: string): Database.Database {
  try {
    // One lock for one file, by whatever path it is reached.
    return new Database(join(realpathSync(dirname(path)), `${basename(path)}.lock`));
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    throw new StoreError("unusable", `cannot write beside ${path}: ${cause}. Its folder must exist and be writable.`, { cause: error });
  }
}
