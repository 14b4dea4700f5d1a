import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { countWords, factsOf, type FileFacts, type Outline, outlineOf } from "./text.ts";

/** A file is not what it was. Trying again does not help. */
export class FileChangedError extends Error {
  override readonly name = "FileChangedError";
}

/** What the demo's workers do. A plain object of functions: nothing in it knows of tq. */
export function fileActivities(folder: string) {
  /** The same content that was hashed, or an error: the parts of a report should be about one file. */
  const unchanged = async (path: string, sha256: string): Promise<Buffer> => {
    const content = await readFile(join(folder, path));
    if (factsOf(content).sha256 !== sha256) throw new FileChangedError(`${path} has changed since it was hashed`);
    return content;
  };
  return {
    async hash(path: string): Promise<FileFacts> {
      return factsOf(await readFile(join(folder, path)));
    },
    async outline(path: string, sha256: string): Promise<Outline> {
      return outlineOf(await unchanged(path, sha256));
    },
    async countWords(path: string, sha256: string): Promise<number> {
      return countWords(await unchanged(path, sha256));
    },
  };
}

/** Their names, arguments and results, for the workflow. */
export type FileActivities = ReturnType<typeof fileActivities>;
