import Database from "better-sqlite3";
import { StoreError } from "@tq/storage";

/** What SQLite and the system throw, as the contract has it. Anything else is a defect, and goes on as it is. */
export function translate(error: unknown, path: string): unknown {
  // Of a file of the journal.
  if (error instanceof Error && "syscall" in error) {
    return new StoreError("unavailable", `the files of ${path} cannot be written: ${error.message}`, { cause: error });
  }
  if (!(error instanceof Database.SqliteError)) return error;
  switch (error.code.split("_").slice(0, 2).join("_")) {
    case "SQLITE_FULL":
      return new StoreError("unavailable", `the disk of ${path} is full; free some space`, { cause: error });
    case "SQLITE_READONLY":
      return new StoreError("unavailable", `${path} cannot be written: it, or its folder, is read-only`, {
        cause: error,
      });
    case "SQLITE_IOERR":
    case "SQLITE_BUSY":
      return new StoreError("unavailable", `${path} cannot be written: ${error.message}`, { cause: error });
    case "SQLITE_CANTOPEN":
      return new StoreError("unusable", `${path} cannot be opened: ${error.message}`, { cause: error });
    case "SQLITE_NOTADB":
    case "SQLITE_CORRUPT":
      return new StoreError("unusable", `${path} is not a SQLite database, or is damaged: ${error.message}`, {
        cause: error,
      });
    default:
      return error;
  }
}
