import { closeSync, openSync } from "node:fs";
import { StoreError } from "@tq/storage";
import type Database from "better-sqlite3";
import type { LogCalls } from "./log-sync.ts";
import { recordsBehind, removeJournals } from "./segments.ts";
import { runAgain } from "./writes.ts";

/** What an open store goes on from. */
export interface TakenOver {
  readonly epoch: number;
  readonly now: number;
  readonly numbers: number;
  readonly logged: number;
}

/**
 * Runs again what a crash left in the journal alone, and begins an epoch: who had the last one can write no more. When it
 * ends that is on disk, and nobody needs the records of an earlier epoch.
 *
 * @param path of the database
 * @param at the time; the store's own is never less than that of its last commit
 */
export function takeOver(db: Database.Database, path: string, at: number, calls: LogCalls): TakenOver {
  const shard = db.prepare<[], TakenOver>("select epoch, now, numbers, logged from shard");
  const found = (): TakenOver => {
    const row = shard.get();
    if (row === undefined) {
      throw new StoreError("unusable", `${path} has no shard row; it is damaged. Restore a backup.`);
    }
    return row;
  };
  const taken = db
    .transaction(() => {
      const { epoch, logged } = found();
      const { records, statements } = recordsBehind(path, epoch, logged);
      runAgain(db, records, (statement) => statements.get(statement));
      const last = found();
      const taken = { ...last, epoch: epoch + 1, now: Math.max(at, last.now) };
      db.prepare("update shard set epoch = ?, now = ?").run(taken.epoch, taken.now);
      return taken;
    })
    .immediate();
  syncFile(`${path}-wal`, calls);
  removeJournals(path, () => true);
  return taken;
}

function syncFile(path: string, calls: LogCalls): void {
  const fd = openSync(path, "r+");
  try {
    calls.syncNow(fd);
  } finally {
    closeSync(fd);
  }
}
