import { accessSync, constants, existsSync, realpathSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import Database from "better-sqlite3";
import { StoreError } from "@tq/storage";
import { whyOf } from "./why.ts";

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
  const lockPath = lockPathOf(path);
  const db = openLock(lockPath, path);
  try {
    db.pragma("busy_timeout = 0");
    // Nothing is ever written: the lock is all that is wanted.
    db.pragma("journal_mode = MEMORY");
    db.exec("begin exclusive");
  } catch (error) {
    db.close();
    if (error instanceof Database.SqliteError && error.code === "SQLITE_BUSY") {
      throw new StoreError(
        "locked",
        `another tq server has ${path} open. Stop it first, or name another data folder.`,
        { cause: error },
      );
    }
    const cause = whyOf(error);
    throw new StoreError(
      "unusable",
      `cannot lock ${lockPath}: ${cause}. If no tq server runs there, remove that file.`,
      {
        cause: error,
      },
    );
  }
  return { release: () => void db.close() };
}

/** One lock for one file, by whatever path it is reached. */
function lockPathOf(path: string): string {
  try {
    return `${realpathSync(path)}.lock`;
  } catch {
    // There is no such file yet.
  }
  try {
    return join(realpathSync(dirname(path)), `${basename(path)}.lock`);
  } catch (error) {
    throw unwritable(path, error);
  }
}

function openLock(lockPath: string, path: string): Database.Database {
  try {
    // SQLite opens a file that it may not write for reading, and what it then calls an exclusive lock excludes nobody.
    if (existsSync(lockPath)) accessSync(lockPath, constants.W_OK);
    return new Database(lockPath);
  } catch (error) {
    throw unwritable(path, error);
  }
}

function unwritable(path: string, error: unknown): StoreError {
  const cause = whyOf(error);
  return new StoreError("unusable", `cannot write beside ${path}: ${cause}. Its folder must exist and be writable.`, {
    cause: error,
  });
}
