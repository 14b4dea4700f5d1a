import { closeSync, openSync, rmSync, statSync } from "node:fs";
import { StoreError, type BackupProgress } from "@tq/storage";
import Database from "better-sqlite3";
import { whyOf } from "./why.ts";

/** Pages copied between two commits: 4 MiB, a few ms. */
const pagesAtOnce = 1_000;

/**
 * Copies what is committed in a database to a file that must not exist, a piece at a time between commits. It is read over
 * a connection of its own that goes on seeing the moment at which it began.
 */
export async function backUp(
  database: string,
  path: string,
  random: () => number,
  onProgress: (progress: BackupProgress) => void,
): Promise<{ readonly bytes: number }> {
  claimPath(path);
  let db: Database.Database | undefined;
  try {
    db = new Database(database, { readonly: true });
    db.exec("begin");
    db.prepare("select epoch from shard").get();
    await db.backup(path, {
      progress: ({ totalPages, remainingPages }) => {
        onProgress({ pagesTotal: totalPages, pagesRemaining: remainingPages });
        return pagesAtOnce;
      },
    });
    beginEpoch(path, random);
    return { bytes: statSync(path).size };
  } catch (error) {
    rmSync(path, { force: true });
    throw unwritable(path, error);
  } finally {
    db?.close();
  }
}

/**
 * A journal that lies beside the file when the copy is put in its place belongs to the file, and not to the copy: it must
 * not be of the copy's epoch, however often the file, or another copy of it, was opened since.
 */
function beginEpoch(path: string, random: () => number): void {
  const copy = new Database(path);
  try {
    copy.pragma("journal_mode = DELETE");
    copy.prepare("update shard set epoch = epoch + 1 + ?").run(Math.floor(random() * 1e12));
  } finally {
    copy.close();
  }
}

/** Makes the file, so that two backups never write the same one. */
function claimPath(path: string): void {
  try {
    closeSync(openSync(path, "wx"));
  } catch (error) {
    throw unwritable(path, error);
  }
}

function unwritable(path: string, error: unknown): StoreError {
  const why = whyOf(error);
  return new StoreError("unusable", `cannot write the backup to ${path}: ${why}. Name a file that does not exist.`, {
    cause: error,
  });
}
