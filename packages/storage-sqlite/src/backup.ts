import { closeSync, openSync, rmSync, statSync } from "node:fs";
import { StoreError, type BackupProgress } from "@tq/storage";
import type Database from "better-sqlite3";

/** Pages copied between two commits: 4 MiB, a few ms. */
const pagesAtOnce = 1_000;

/**
 * Copies an open database to a file that must not exist, a piece at a time between commits. SQLite sees to it that the
 * copy is of one moment: what is committed meanwhile goes into it, too.
 */
export async function backUp(
  db: Database.Database,
  path: string,
  onProgress: (progress: BackupProgress) => void,
): Promise<{ readonly bytes: number }> {
  claimPath(path);
  try {
    await db.backup(path, {
      progress: ({ totalPages, remainingPages }) => {
        onProgress({ pagesTotal: totalPages, pagesRemaining: remainingPages });
        return pagesAtOnce;
      },
    });
    return { bytes: statSync(path).size };
  } catch (error) {
    rmSync(path, { force: true });
    throw unwritable(path, error);
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
  const why = error instanceof Error ? error.message : String(error);
  return new StoreError("unusable", `cannot write the backup to ${path}: ${why}. Name a file that does not exist.`, {
    cause: error,
  });
}
