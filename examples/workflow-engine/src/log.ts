import { type FileHandle, open, readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { DamagedLogError, decodeFrames, encodeFrame, firstLine } from "./frames.ts";
import { holdFile, type HeldFile } from "./lock.ts";

/** An append-only file of records. `append` resolves when they are on disk; one call at a time, one fsync each. */
export class Log {
  readonly #file: FileHandle;
  readonly #held: HeldFile;
  #failure: Error | undefined;

  private constructor(file: FileHandle, held: HeldFile) {
    this.#file = file;
    this.#held = held;
  }

  /**
   * Opens a log, making it if there is none, and reads what it holds. A torn end is cut off.
   *
   * @throws Error if another process has it open, or if it is damaged; the file is left as it is.
   */
  static async open(path: string): Promise<{ readonly log: Log; readonly records: unknown[] }> {
    const held = await holdFile(path);
    let file: FileHandle | undefined;
    try {
      const found = await readLog(path);
      file = await open(path, "a");
      if (found.bytes < found.size) await file.truncate(found.bytes);
      if (found.bytes === 0) await file.write(firstLine);
      await file.sync();
      await syncFolder(dirname(resolve(path)));
      return { log: new Log(file, held), records: found.records };
    } catch (error) {
      await file?.close();
      await held.release();
      throw error;
    }
  }

  /**
   * Resolves once these records are on disk. After a failure nothing is written any more: what an fsync that failed has
   * left on disk is not known.
   */
  async append(records: readonly unknown[]): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    if (records.length === 0) return;
    try {
      await this.#file.appendFile(encodeFrame(records));
      await this.#file.datasync();
    } catch (error) {
      this.#failure = error instanceof Error ? error : new Error(String(error));
      throw error;
    }
  }

  /** Closes the file, once nothing is appended any more. */
  async close(): Promise<void> {
    await this.#file.close();
    await this.#held.release();
  }
}

/** The records of a log that nobody writes to, for reading alone. Of a file that does not exist: none. */
export async function readLog(
  path: string,
): Promise<{ readonly records: unknown[]; readonly frames: number; readonly bytes: number; readonly size: number }> {
  const bytes = await readFile(path).catch((error: unknown) => {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return Buffer.alloc(0);
    throw error;
  });
  try {
    return { ...decodeFrames(bytes), size: bytes.length };
  } catch (error) {
    if (!(error instanceof DamagedLogError)) throw error;
    const message = `${path} cannot be read as a workflow log: ${error.message}. Restore it from a backup, or name another file.`;
    throw new DamagedLogError(message, { cause: error });
  }
}

/** A new file is only there for good once its folder is on disk. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
